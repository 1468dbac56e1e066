"""From cells to text to Markdown, CSV, LaTeX and PDF; may import claims and below."""
