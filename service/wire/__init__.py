"""What the resources in `service/routes` share: fields, checks, waiting, comparing."""
