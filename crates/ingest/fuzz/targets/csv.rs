#![no_main]

datadiet_ingest_fuzz::reader!("csv");
