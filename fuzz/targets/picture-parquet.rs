#![no_main]

datadiet_fuzz::target!(|bytes| datadiet_fuzz::data_set("train.parquet", bytes));
