#![no_main]

datadiet_fuzz::reader!("npz");
