#![no_main]

datadiet_fuzz::target!(datadiet_fuzz::names);
