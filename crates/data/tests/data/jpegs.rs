//! Odd JPEGs against libjpeg's pixels, broken ones, and turned ones.
//!
//! `jpeg/*.jpg` are of one picture, written by libjpeg-turbo's `cjpeg`, by Pillow (`cmyk`) and by
//! imagecodecs (`ycck`, `12-bit`, `lossless`); `jpeg/*.png` are what Pillow reads of them.

use crate::flat::*;
use crate::support::*;
use datadiet_core::Silent;
use datadiet_data::{DataError, ImportOptions, RawDataset, read};
use image::{DynamicImage, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jpeg")
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(samples().join(format!("{name}.jpg"))).unwrap()
}

/// Reads one picture of one class.
fn read_picture(bytes: &[u8]) -> datadiet_data::Result<RawDataset> {
    let here = folder();
    write_files(here.path(), &[("only/odd.jpg".into(), bytes.to_vec())]);
    detect_and_read(here.path())
}

#[test]
fn odd_jpegs_have_the_pixels_of_libjpeg() {
    for name in [
        "420",
        "422",
        "440",
        "444",
        "411",
        "grey",
        "rgb",
        "progressive",
        "arithmetic",
        "arithmetic-progressive",
        "restarts",
        "scans-420",
        "scans-444",
        "cmyk",
        "ycck",
    ] {
        let expected = image::open(samples().join(format!("{name}.png"))).unwrap();
        let expected = match name {
            "grey" => expected.into_luma8().into_raw(),
            _ => expected.into_rgb8().into_raw(),
        };
        let found = read_picture(&sample(name)).unwrap().train.images;
        assert_eq!(found.len(), expected.len(), "{name}");
        let most = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        // The first rounds of the transform may differ between versions of libjpeg by one.
        assert!(most <= 1, "{name}: a value is {most} off");
    }
}

#[test]
fn jpegs_that_libjpeg_does_not_read_are_refused_by_name() {
    for name in ["12-bit", "lossless"] {
        let error = read_picture(&sample(name)).unwrap_err().to_string();
        assert!(error.contains("only/odd.jpg") && error.contains("--skip-broken"), "{error}");
    }
}

/// Wherever it is cut, something is missing, down to the end marker.
#[test]
fn a_cut_jpeg_is_never_a_good_picture() {
    for name in ["420", "grey", "progressive", "arithmetic", "restarts", "scans-444", "cmyk"] {
        let whole = sample(name);
        for end in (2..whole.len()).step_by(7).chain([whole.len() - 1, whole.len() - 2]) {
            let error = read_picture(&whole[..end]).map(|_| ()).unwrap_err();
            assert!(matches!(error, DataError::BadImage { .. }), "{name} to {end}: {error}");
            assert!(error.to_string().contains("odd.jpg"), "{error}");
        }
    }
}

/// Where a scan begins.
fn scans(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len() - 1).filter(|&at| bytes[at..at + 2] == [0xff, 0xda]).collect()
}

#[test]
fn a_component_without_a_scan_is_not_filled_in() {
    let whole = sample("scans-444");
    let starts = scans(&whole);
    assert_eq!(starts.len(), 3);
    for kept in 1..3 {
        let cut = [&whole[..starts[kept]], &[0xff, 0xd9]].concat();
        let error = read_picture(&cut).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("odd.jpg"), "{error}");
    }
}

#[test]
fn damaged_restart_markers_and_bytes_between_markers_are_refused() {
    let whole = sample("restarts");
    let restart = whole.windows(2).position(|pair| pair == [0xff, 0xd0]).unwrap();
    let mut other = whole.clone();
    other[restart + 1] = 0xd5;
    let zeros = [&whole[..restart], &[0; 64], &whole[restart..]].concat();
    for bytes in [other, zeros] {
        let error = read_picture(&bytes).map(|_| ()).unwrap_err();
        assert!(matches!(error, DataError::BadImage { .. }), "{error}");
    }
}

/// Pictures of other formats, cut in the middle of their pixels.
#[test]
fn cut_pictures_of_all_formats_are_refused() {
    use image::ImageFormat::{Bmp, Gif, Png, Pnm, Tiff, WebP};
    let pixels =
        RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, (x * y) as u8]));
    for (format, ending) in
        [(Png, "png"), (Bmp, "bmp"), (Gif, "gif"), (WebP, "webp"), (Tiff, "tiff"), (Pnm, "ppm")]
    {
        let mut whole = std::io::Cursor::new(Vec::new());
        DynamicImage::from(pixels.clone()).write_to(&mut whole, format).unwrap();
        let whole = whole.into_inner();
        for (end, good) in [(whole.len(), true), (whole.len() / 2, false)] {
            let here = folder();
            let name = format!("only/odd.{ending}");
            write_files(here.path(), &[(name.clone(), whole[..end].to_vec())]);
            let found = detect_and_read(here.path());
            match good {
                true => assert_eq!(found.unwrap().train.labels, [0], "{ending}"),
                false => {
                    let error = found.map(|_| ()).unwrap_err();
                    assert!(error.to_string().contains(&name), "{ending}: {error}");
                }
            }
        }
    }
}

#[test]
fn broken_pictures_are_left_out_if_asked() {
    let (here, whole) = (folder(), sample("444"));
    let cut = || whole[..whole.len() / 2].to_vec();
    write_files(
        here.path(),
        &[
            ("train/a/1.jpg".into(), cut()),
            ("train/a/2.jpg".into(), whole.clone()),
            ("train/b/1.jpg".into(), whole.clone()),
            ("train/b/2.jpg".into(), b"no picture at all".to_vec()),
            ("train/b/3.jpg".into(), sample("420")),
            ("test/a/1.jpg".into(), cut()),
            ("test/b/1.jpg".into(), sample("422")),
        ],
    );
    let options = ImportOptions { skip_broken: true, ..Default::default() };
    let found = read(here.path(), None, &options, &Silent).unwrap();
    assert_eq!(found.train.labels, [0, 1, 1]);
    let good = |name| read_picture(&sample(name)).unwrap().train.images;
    assert!(found.train.images == [good("444"), good("444"), good("420")].concat());
    let test = found.test.unwrap();
    assert!(test.labels == [1] && test.images == good("422"));
    let [left_out] = &found.notes.left_out[..] else { panic!("{:?}", found.notes) };
    assert_eq!(left_out.count, 3, "{left_out:?}");
    assert!(left_out.examples[1].contains("b/2.jpg"), "{left_out:?}");
}

/// A JPEG with an EXIF orientation.
fn oriented(bytes: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&bytes[..2], &[0xff, 0xe1], &length, &exif, &bytes[2..]].concat()
}

type Turn = fn(&RgbImage) -> RgbImage;

/// The same picture from a folder and from Parquet.
#[test]
fn orientation_is_applied_and_counted_for_every_reader() {
    let upright = image::open(samples().join("444.png")).unwrap().into_rgb8();
    let turns: [(u8, Turn); 4] = [
        (2, image::imageops::flip_horizontal),
        (3, image::imageops::rotate180),
        (6, image::imageops::rotate90),
        (8, image::imageops::rotate270),
    ];
    for (orientation, turn) in turns {
        let bytes = oriented(&sample("444"), orientation);
        let expected = turn(&upright);
        let here = folder();
        write_files(here.path(), &[("set/only/odd.jpg".into(), bytes.clone())]);
        write_labelled_parquet(&here.path().join("odd.parquet"), &[bytes], &[0]);
        for path in ["odd.parquet", "set"] {
            let found = detect_and_read(&here.path().join(path)).unwrap();
            assert_eq!((found.width as u32, found.height as u32), expected.dimensions());
            let mut off = found.train.images.iter().zip(expected.as_raw());
            assert!(off.all(|(a, b)| a.abs_diff(*b) <= 1), "{path} {orientation}");
            let said = found.notes.lines().join("\n");
            assert!(said.contains("EXIF orientation says: 1 pictures"), "{said}");
        }
    }
}
