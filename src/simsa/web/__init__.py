"""The web page over a run: browse and compare answers, and label them.

Pages are rendered on the server, with a little JavaScript for the keyboard. Questions, passages, answers and analyses
are untrusted text: all of it is escaped, and the content security policy allows only the page's own scripts.
"""
