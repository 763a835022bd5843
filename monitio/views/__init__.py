"""Views, forms and what the template tags render."""
