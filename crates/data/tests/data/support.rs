//! Small real data sets, and writers of every format that is read.

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use datadiet_core::Silent;
use datadiet_data::{Format, ImportOptions, RawDataset, RawSplit, Result, read};
use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, GrayImage, RgbImage};
use npyz::WriterBuilder;
use parquet::arrow::ArrowWriter;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of real Fashion-MNIST images in the repository.
pub fn sample_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/fashion-mnist")
}

/// A folder that goes away with the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Reads with default options, detecting the format.
pub fn detect_and_read(path: &Path) -> Result<RawDataset> {
    read(path, None, &ImportOptions::default(), &Silent)
}

/// Reads with default options in a given format.
pub fn read_as(format: Format, path: &Path) -> Result<RawDataset> {
    read(path, Some(format), &ImportOptions::default(), &Silent)
}

/// The first 60 training and 40 test images of the sample, sorted by label so that formats whose
/// order is that of class folders agree too. Classes are called `c0` to `c9`.
pub fn grey() -> RawDataset {
    let mut sample = detect_and_read(&sample_folder()).expect("the sample");
    sample.classes = (0..10).map(|class| format!("c{class}")).collect();
    sample.train = sorted_by_label(&sample.train, 60, 784);
    sample.test = sample.test.map(|test| sorted_by_label(&test, 40, 784));
    sample
}

fn sorted_by_label(split: &RawSplit, n: usize, image_len: usize) -> RawSplit {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| split.labels[i]);
    let image = |&i: &usize| split.images[i * image_len..(i + 1) * image_len].to_vec();
    RawSplit {
        images: order.iter().flat_map(image).collect(),
        labels: order.iter().map(|&i| split.labels[i]).collect(),
    }
}

/// The grey images with a border to 32 x 32 and a different value in each channel.
pub fn colour() -> RawDataset {
    let mut dataset = grey();
    let names =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    dataset.classes = names.map(str::to_owned).to_vec();
    for split in [Some(&mut dataset.train), dataset.test.as_mut()].into_iter().flatten() {
        split.images = split.images.chunks_exact(784).flat_map(tinted).collect();
    }
    (dataset.height, dataset.width, dataset.channels) = (32, 32, 3);
    dataset
}

fn tinted(grey: &[u8]) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(3072);
    for (y, x) in (0..32).flat_map(|y| (0..32).map(move |x| (y, x))) {
        let inside = (2..30).contains(&y) && (2..30).contains(&x);
        let value = if inside { grey[(y - 2) * 28 + x - 2] } else { 0 };
        pixels.extend([value, 255 - value, (7 * y + x) as u8]);
    }
    pixels
}

/// Both splits with the names used in files.
fn splits<'a>(dataset: &'a RawDataset, test: &'static str) -> Vec<(&'static str, &'a RawSplit)> {
    [("train", Some(&dataset.train)), (test, dataset.test.as_ref())]
        .into_iter()
        .filter_map(|(name, split)| Some((name, split?)))
        .collect()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A `.tar.gz` of the given files.
pub fn tar_gz(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

pub fn write_idx(folder: &Path, dataset: &RawDataset) {
    for (name, split) in splits(dataset, "t10k") {
        let sizes = [split.labels.len() as u32, dataset.height as u32, dataset.width as u32];
        let mut images = vec![0, 0, 8, 3];
        images.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        images.extend(&split.images);
        fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        let mut labels = vec![0, 0, 8, 1];
        labels.extend(sizes[0].to_be_bytes());
        labels.extend(split.labels.iter().map(|&label| label as u8));
        fs::write(folder.join(format!("{name}-labels-idx1-ubyte.gz")), gzip(&labels)).unwrap();
    }
    fs::write(folder.join("classes.txt"), dataset.classes.join("\n")).unwrap();
}

/// CIFAR-10 records of one split.
fn records(split: &RawSplit, prefix: &[u8]) -> Vec<Vec<u8>> {
    let record = |(image, &label): (&[u8], &u32)| {
        let mut record = [prefix, &[label as u8]].concat();
        for channel in 0..3 {
            record.extend(image.iter().skip(channel).step_by(3));
        }
        record
    };
    split.images.chunks_exact(3072).zip(&split.labels).map(record).collect()
}

/// The files of CIFAR-10's binary version, 12 records in each training file.
pub fn cifar10_files(dataset: &RawDataset) -> Vec<(String, Vec<u8>)> {
    let train = records(&dataset.train, &[]);
    let batches = train.chunks(train.len() / 5).enumerate();
    let mut files: Vec<_> = batches
        .map(|(i, batch)| {
            (format!("cifar-10-batches-bin/data_batch_{}.bin", i + 1), batch.concat())
        })
        .collect();
    files.push((
        "cifar-10-batches-bin/test_batch.bin".into(),
        records(dataset.test.as_ref().unwrap(), &[]).concat(),
    ));
    files.push((
        "cifar-10-batches-bin/batches.meta.txt".into(),
        (dataset.classes.join("\n") + "\n\n").into_bytes(),
    ));
    files
}

/// The files of CIFAR-100's binary version; the coarse label is always 99.
pub fn cifar100_files(dataset: &RawDataset) -> Vec<(String, Vec<u8>)> {
    vec![
        ("cifar-100-binary/train.bin".into(), records(&dataset.train, &[99]).concat()),
        (
            "cifar-100-binary/test.bin".into(),
            records(dataset.test.as_ref().unwrap(), &[99]).concat(),
        ),
        ("cifar-100-binary/fine_label_names.txt".into(), dataset.classes.join("\n").into_bytes()),
    ]
}

pub fn write_files(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// One image as PNG.
pub fn png(dataset: &RawDataset, image: &[u8]) -> Vec<u8> {
    let (width, height) = (dataset.width as u32, dataset.height as u32);
    let picture: DynamicImage = match dataset.channels {
        1 => GrayImage::from_raw(width, height, image.to_vec()).unwrap().into(),
        _ => RgbImage::from_raw(width, height, image.to_vec()).unwrap().into(),
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// `folder/CLASS/00017.png` for the examples `range` of a split.
pub fn write_pngs(
    folder: &Path,
    dataset: &RawDataset,
    split: &RawSplit,
    range: std::ops::Range<usize>,
) {
    for class in &dataset.classes {
        fs::create_dir_all(folder.join(class)).unwrap();
    }
    let image_len = dataset.image_len();
    for i in range {
        let class = &dataset.classes[split.labels[i] as usize];
        let image = &split.images[i * image_len..(i + 1) * image_len];
        fs::write(folder.join(class).join(format!("{i:05}.png")), png(dataset, image)).unwrap();
    }
}

pub fn write_image_folder(folder: &Path, dataset: &RawDataset) {
    for (name, split) in splits(dataset, "test") {
        write_pngs(&folder.join(name), dataset, split, 0..split.labels.len());
    }
}

/// `data/train-0000i-of-00002.parquet` and one test file, as Hugging Face `datasets` writes them.
pub fn write_parquet(folder: &Path, dataset: &RawDataset) {
    fs::create_dir_all(folder.join("data")).unwrap();
    for (name, split) in splits(dataset, "test") {
        let files = if name == "train" { 2 } else { 1 };
        let n = split.labels.len() / files;
        for file in 0..files {
            let path = folder.join(format!("data/{name}-{file:05}-of-{files:05}.parquet"));
            let part = RawSplit {
                images: split.images
                    [file * n * dataset.image_len()..(file + 1) * n * dataset.image_len()]
                    .to_vec(),
                labels: split.labels[file * n..(file + 1) * n].to_vec(),
            };
            write_parquet_file(&path, dataset, &part);
        }
    }
}

fn write_parquet_file(path: &Path, dataset: &RawDataset, split: &RawSplit) {
    let pictures: Vec<Vec<u8>> =
        split.images.chunks_exact(dataset.image_len()).map(|i| png(dataset, i)).collect();
    let parts = Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ]);
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(&pictures));
    let paths: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; pictures.len()]));
    let image: ArrayRef = Arc::new(StructArray::new(parts.clone(), vec![bytes, paths], None));
    let label: ArrayRef =
        Arc::new(split.labels.iter().map(|&label| Some(i64::from(label))).collect::<Int64Array>());
    let features = serde_json::json!({"info": {"features": {
        "img": {"_type": "Image"},
        "label": {"names": dataset.classes, "_type": "ClassLabel"},
    }}});
    let metadata = HashMap::from([("huggingface".to_owned(), features.to_string())]);
    let fields = vec![
        Field::new("img", DataType::Struct(parts), true),
        Field::new("label", DataType::Int64, true),
    ];
    let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
    let batch = RecordBatch::try_new(schema.clone(), vec![image, label]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// One `.npy` file in memory.
pub fn npy<T: npyz::AutoSerialize + Copy>(shape: &[usize], values: &[T]) -> Vec<u8> {
    let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

/// The shape with which images are saved.
pub enum Axes {
    Nhw,
    Nhwc,
    Nchw,
}

/// `x_train.npy`, … in memory, labels as n x 1 of i64.
pub fn npy_files(dataset: &RawDataset, axes: &Axes) -> Vec<(String, Vec<u8>)> {
    let [h, w, c] = [dataset.height, dataset.width, dataset.channels];
    let mut files = Vec::new();
    for (name, split) in splits(dataset, "test") {
        let n = split.labels.len();
        let images = match axes {
            Axes::Nhw => npy(&[n, h, w], &split.images),
            Axes::Nhwc => npy(&[n, h, w, c], &split.images),
            Axes::Nchw => npy(&[n, c, h, w], &planes(&split.images, c, h * w)),
        };
        let labels: Vec<i64> = split.labels.iter().map(|&label| label.into()).collect();
        files.push((format!("x_{name}.npy"), images));
        files.push((format!("y_{name}.npy"), npy(&[n, 1], &labels)));
    }
    files
}

fn planes(images: &[u8], channels: usize, plane: usize) -> Vec<u8> {
    let image = |image: &[u8]| -> Vec<u8> {
        (0..channels)
            .flat_map(|c| image.iter().skip(c).step_by(channels).copied().collect::<Vec<u8>>())
            .collect()
    };
    images.chunks_exact(channels * plane).flat_map(image).collect()
}

/// The files as an `.npz`.
pub fn write_npz(path: &Path, dataset: &RawDataset) {
    write_npz_with(path, dataset, &[]);
}

/// As [`write_npz`], with further arrays.
pub fn write_npz_with(path: &Path, dataset: &RawDataset, others: &[&str]) {
    let mut npz = zip::ZipWriter::new(File::create(path).unwrap());
    let mut write = |name: &str, array: &[u8]| {
        let stored = zip::write::SimpleFileOptions::default();
        npz.start_file(format!("{name}.npy"), stored).unwrap();
        npz.write_all(array).unwrap();
    };
    let [height, width] = [dataset.height, dataset.width];
    for (name, split) in splits(dataset, "test") {
        let n = split.labels.len();
        let labels: Vec<u8> = split.labels.iter().map(|&label| label as u8).collect();
        write(&format!("x_{name}"), &npy(&[n, height, width], &split.images));
        write(&format!("y_{name}"), &npy(&[n], &labels));
    }
    for name in others {
        write(name, &npy(&[1], &[1_u8]));
    }
    npz.finish().unwrap();
}
