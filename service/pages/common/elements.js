/** Parts of pages. Texts of models and of people are only ever set as text, never as HTML. */

/** An element with its properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** The key that does the same; the line below the questions says it to those who do not see. */
export function keyHint(key) {
  const hint = element("kbd", { textContent: key });
  hint.setAttribute("aria-hidden", "true");
  return hint;
}

/** A text that scrolls where it is long; the keyboard reaches it. */
export function pane(title, text) {
  const body = element("div", { className: "text", dir: "auto", tabIndex: 0, textContent: text });
  body.setAttribute("role", "region");
  body.setAttribute("aria-label", title);
  return element("section", { className: "pane" }, element("h2", { textContent: title }), body);
}

/** Paragraphs, headings, lists and bold words of Markdown as elements; all else as it is. */
export function prose(markdown) {
  const blocks = [];
  for (const line of markdown.split("\n")) {
    const [, indent, mark, text] = line.match(/^(\s*)(#+ |[-*] |\d+[.)] )?(.*)$/);
    const last = blocks.at(-1);
    if (!text) blocks.push(null);
    else if (mark?.startsWith("#")) blocks.push(element("h2", {}, ...bold(text)));
    else if (mark) {
      const list = /^[OU]L$/.test(last?.tagName) ? last : element(/\d/.test(mark) ? "ol" : "ul");
      list.append(element("li", { className: indent && "inner" }, ...bold(text)));
      if (list !== last) blocks.push(list);
    } else if (last && last.tagName !== "H2") (last.lastElementChild?.closest("li") ?? last).append(" ", ...bold(text));
    else blocks.push(element("p", {}, ...bold(text)));
  }
  const shown = blocks.filter(Boolean);
  for (const block of shown) block.dir = "auto";
  return shown;
}

const bold = (text) =>
  text
    .split(/\*\*(.+?)\*\*/)
    .map((part, place) => (place % 2 ? element("strong", { textContent: part }) : part));
