#![no_main]

datadiet_fuzz::target!(|bytes| datadiet_fuzz::picture(bytes));
