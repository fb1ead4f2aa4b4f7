"""What people look at: tables, plots, pages, the progress display."""
