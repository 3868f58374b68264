/** What the page says, by language. `{0}`, `{1}` stand for values. */

const WORDS = {
  en: {
    other_language: "Русский",
    instructions: "Instructions",
    prompt: "Prompt",
    text: "Text",
    choice: "Which is better?",
    better_a: "A is better",
    better_b: "B is better",
    tie: "Equal",
    best: "Which is the best?",
    worst: "Which is the worst?",
    label: "Which label fits?",
    edit: "Mend the text",
    scale: "{0} to {1}",
    comment: "Comment (optional)",
    undo: "Undo",
    skip: "Skip",
    send: "Send",
    cancel: "Back",
    copy: "Copy",
    copied: "Copied.",
    again: "Try again",
    count: "{0} of {1}",
    keys_pairwise: "Digits or arrows: answer · Enter: send · U: undo · S: skip",
    keys: "Digits: answer · Enter: send · U: undo · S: skip",
    keys_edit: "Ctrl+Enter: send · Esc, then U: undo, S: skip",
    unanswered: "Please answer first: {0}",
    skip_why: "Why skip this one?",
    skip_unclear: "I do not understand it",
    skip_unable: "I cannot judge this",
    skip_broken: "It is broken or empty",
    skip_offensive: "It is offensive",
    skip_other: "Another reason",
    undone: "Your last answer is taken back.",
    no_connection: "No connection; please try again.",
    refused: "The service refused this: {0}",
    refused_lease_lost: "Your time for that item was over; here is another.",
    refused_voted: "You had answered that item already; here is another.",
    refused_nothing_to_undo: "There is nothing to undo.",
    refused_project_closed: "The project is closed; answers stay.",
    offline_title: "No connection",
    offline: "Trying again…",
    kept: "Your answer is kept on this device and will be sent.",
    no_token_title: "This link is not complete",
    no_token: "Please open the whole link you were sent; it ends with #token=…",
    locked_title: "This link is not valid",
    locked:
      "It has expired or was ended. Whoever sent it can give you a new one. " +
      "All you have sent is stored.",
    unsent: "Answers kept on this device that could not be sent: {0}.",
    wait_title: "Nothing to do at the moment",
    wait: "Others are working on what is left. Some of it may come back: look again later.",
    end_title: "All done, thank you!",
    end: "You can close this page.",
    code: "Your completion code:",
  },
  ru: {
    other_language: "English",
    instructions: "Инструкция",
    prompt: "Запрос",
    text: "Текст",
    choice: "Что лучше?",
    better_a: "Лучше A",
    better_b: "Лучше B",
    tie: "Одинаково",
    best: "Что лучше всего?",
    worst: "Что хуже всего?",
    label: "Какая метка подходит?",
    edit: "Исправьте текст",
    scale: "от {0} до {1}",
    comment: "Комментарий (необязательно)",
    undo: "Отменить",
    skip: "Пропустить",
    send: "Отправить",
    cancel: "Назад",
    copy: "Скопировать",
    copied: "Скопировано.",
    again: "Попробовать снова",
    count: "{0} из {1}",
    keys_pairwise: "Цифры или стрелки: ответ · Enter: отправить · U: отменить · S: пропустить",
    keys: "Цифры: ответ · Enter: отправить · U: отменить · S: пропустить",
    keys_edit: "Ctrl+Enter: отправить · Esc, затем U: отменить, S: пропустить",
    unanswered: "Сначала ответьте: {0}",
    skip_why: "Почему пропустить?",
    skip_unclear: "Я этого не понимаю",
    skip_unable: "Не могу оценить",
    skip_broken: "Текст испорчен или пуст",
    skip_offensive: "Текст оскорбительный",
    skip_other: "Другая причина",
    undone: "Последний ответ отозван.",
    no_connection: "Нет связи; попробуйте ещё раз.",
    refused: "Сервис этого не принял: {0}",
    refused_lease_lost: "Время на то задание вышло, вот другое.",
    refused_voted: "На то задание вы уже ответили, вот другое.",
    refused_nothing_to_undo: "Отменять нечего.",
    refused_project_closed: "Проект закрыт: ответы не меняются.",
    offline_title: "Нет связи",
    offline: "Пробуем снова…",
    kept: "Ответ сохранён на этом устройстве и будет отправлен.",
    no_token_title: "Ссылка неполная",
    no_token: "Откройте присланную вам ссылку целиком; она кончается на #token=…",
    locked_title: "Ссылка не действует",
    locked:
      "Её срок истёк, или она отозвана. Новую даст тот, кто её прислал. " +
      "Всё, что вы отправили, сохранено.",
    unsent: "Ответов на этом устройстве, которые не удалось отправить: {0}.",
    wait_title: "Сейчас заданий нет",
    wait: "Остальное сейчас у других. Что-то может вернуться: загляните позже.",
    end_title: "Всё готово, спасибо!",
    end: "Страницу можно закрыть.",
    code: "Ваш код завершения:",
  },
};

let language = "en";

/** The language that is spoken. */
export const spoken = () => language;

/** Speak `code` from now on; what is not known is English. */
export function speak(code) {
  language = code in WORDS ? code : "en";
  document.documentElement.lang = language;
  for (const marked of document.querySelectorAll("[data-word]")) {
    marked.textContent = say(marked.dataset.word);
  }
}

/** The text of `key` with its values; null where there is none. */
export function say(key, ...values) {
  return WORDS[language][key]?.replace(/\{(\d)\}/g, (_, place) => values[place]) ?? null;
}

/** Why the service refused. */
export function refusal({ code, message }) {
  const kind = code.startsWith("voted_") ? "voted" : code; // otherwise, or already
  return say(`refused_${kind}`) ?? say("refused", message);
}
