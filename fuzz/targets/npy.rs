#![no_main]

datadiet_fuzz::reader!("npy");
