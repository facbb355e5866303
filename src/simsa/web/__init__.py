"""The page over a run: look at it, compare, label.

Rendered on the server, with a little JavaScript for the keyboard. Questions, passages,
answers and analyses are hostile text: all of it is escaped, and the page's content
security policy runs no script but its own file.
"""
