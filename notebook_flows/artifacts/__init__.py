"""What tasks attach to their runs: tables, texts, images, files and links."""
