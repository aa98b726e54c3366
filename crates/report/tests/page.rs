//! Pages and files as wholes: nothing escapes, nothing is loaded, every number is there.

mod common;

use std::collections::HashSet;

use common::{HOSTILE, figures, hostile, page};
use datadiet_report::{
    Axis, Chart, Figure, HeatmapChart, HistogramChart, HistogramSeries, LineChart, Page, Point,
    Reference, Series,
};
use resvg::usvg::roxmltree::Document;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn hostile_names_do_not_become_markup() {
    let html = hostile().to_html();
    for name in &HOSTILE[..4] {
        assert!(!html.contains(name), "{name} stands in the page as it is");
    }
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("<title>").count(), html.matches("</title>").count());
    for broken in ["<img src=x", "onerror=\"", "onfocus='", "<script>window"] {
        assert!(!html.contains(broken), "{broken} stands in the page");
    }
}

#[test]
fn a_page_loads_nothing() {
    let html = page().to_html();
    for loading in ["http:", "https:", "@import", "url(", "<link", "<iframe"] {
        assert!(!html.contains(loading), "{loading} stands in the page");
    }
    let pictures = html.matches(" src=").count();
    assert_eq!(pictures, html.matches(" src=\"data:image/png;base64,").count());
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_page_survives_being_written_as_json() -> Outcome {
    let read: Page = serde_json::from_str(&serde_json::to_string(&page())?)?;
    assert!(read == page(), "what was read is not what was written");
    Ok(())
}

#[test]
fn ids_are_unique_even_if_those_given_are_not() {
    let mut twice = page();
    twice.sections.extend(page().sections);
    let html = twice.to_html();
    let ids: Vec<_> =
        html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
}

#[test]
fn files_are_well_formed_and_carry_the_numbers() -> Outcome {
    for page in [page(), hostile()] {
        for figure in figures(&page) {
            let svg = figure.to_svg();
            let document = Document::parse(&svg)?;
            assert!(!svg.contains("var("), "a file has no variables to look up");
            assert!(document.descendants().all(|node| !node.has_tag_name("script")));
            let marks: Vec<_> = document
                .descendants()
                .filter(|node| node.has_attribute("data-y") && node.has_attribute("data-x"))
                .map(|node| node.attribute("data-y").and_then(|text| text.parse().ok()))
                .collect();
            assert_eq!(marks, values(figure), "{}", figure.title);
        }
    }
    Ok(())
}

/// The values that a figure's marks must carry, in order.
fn values(figure: &Figure) -> Vec<Option<f64>> {
    match &figure.chart {
        Chart::Lines(chart) => {
            let points = chart.series.iter().flat_map(|series| &series.points);
            points.map(|point| Some(point.y)).collect()
        }
        Chart::Histogram(chart) => {
            let share = |series: &HistogramSeries, count: u64| {
                count as f64 / (series.counts.iter().sum::<u64>() as f64 / 100.0)
            };
            let series = chart.series.iter();
            series
                .flat_map(|one| one.counts.iter().map(move |&count| Some(share(one, count))))
                .collect()
        }
        Chart::Heatmap(chart) => chart.values.iter().flatten().copied().collect(),
    }
}

#[test]
fn pictures_decode_and_show_something() -> Outcome {
    for figure in figures(&page()) {
        let svg = figure.to_svg();
        let document = Document::parse(&svg)?;
        let side = |name| document.root_element().attribute(name).unwrap_or("0").parse::<f64>();
        let picture = image::load_from_memory(&figure.to_png(1.5)?)?.to_rgb8();
        assert_eq!(f64::from(picture.width()), (side("width")? * 1.5).ceil());
        assert_eq!(f64::from(picture.height()), (side("height")? * 1.5).ceil());
        let inked = picture.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
        assert!(inked * 50 > picture.pixels().len(), "{} is nearly blank", figure.title);
        let corner = picture.get_pixel(0, 0).0;
        assert_eq!(corner, [255; 3], "the background is part of the file");
    }
    let first = image::load_from_memory(&figures(&page())[0].to_png(2.0)?)?.to_rgb8();
    for series in [[0x00, 0x72, 0xb2], [0xd5, 0x5e, 0x00], [0x00, 0x94, 0x6c]] {
        assert!(first.pixels().any(|pixel| pixel.0 == series), "no pixel is {series:?}");
    }
    Ok(())
}

#[test]
fn scales_that_give_no_picture_are_refused() {
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e6] {
        let error = common::curves().to_png(scale).unwrap_err();
        assert!(error.to_string().contains("between 0.1 and 20"), "{error}");
    }
}

#[test]
fn odd_data_are_drawn_as_far_as_they_go() -> Outcome {
    for chart in odd_charts() {
        let figure =
            Figure { id: String::new(), title: String::new(), caption: String::new(), chart };
        let svg = figure.to_svg();
        Document::parse(&svg)?;
        for wrong in ["NaN", "inf\"", "inf "] {
            assert!(!svg.contains(wrong), "{wrong} in {:?}", figure.chart);
        }
        figure.to_png(1.0)?;
    }
    Ok(())
}

fn odd_charts() -> Vec<Chart> {
    let line = |points: Vec<Point>| {
        let series = Series { name: "a".into(), points, dashed: false };
        let reference = Reference { name: "b".into(), value: f64::NAN, ..Reference::default() };
        let (series, references) = (vec![series], vec![reference]);
        Chart::Lines(LineChart { series, references, ..LineChart::default() })
    };
    let gap = Point { low: Some(f64::NAN), high: Some(2.0), ..Point::new(f64::INFINITY, 1.0) };
    let histogram = |edges: Vec<f64>, counts: Vec<u64>| {
        let series = vec![HistogramSeries { name: "a".into(), counts }];
        Chart::Histogram(HistogramChart { edges, series, ..HistogramChart::default() })
    };
    let heatmap = HeatmapChart {
        rows: vec!["a".into(), "b".into()],
        columns: vec!["c".into()],
        values: vec![vec![Some(f64::NAN), Some(1.0)]],
        details: vec![],
        range: (1.0, 1.0),
    };
    vec![
        Chart::Lines(LineChart::default()),
        line(vec![]),
        line(vec![Point::new(f64::NAN, 1.0)]),
        line(vec![Point::new(1.0, 1.0), gap, Point::new(1.0, 1.0)]),
        line(vec![Point { low: Some(0.0), ..Point::new(3.0, 1e300) }, Point::new(-1e300, 0.0)]),
        Chart::Histogram(HistogramChart::default()),
        histogram(vec![0.0, 1.0], vec![]),
        histogram(vec![1.0, 1.0, f64::NAN], vec![0, 0, 7]),
        Chart::Heatmap(HeatmapChart::default()),
        Chart::Heatmap(heatmap),
    ]
}

#[test]
fn an_axis_may_run_backwards() -> Outcome {
    let mut figure = common::curves();
    if let Chart::Lines(chart) = &mut figure.chart {
        chart.x = Axis { label: "kept, %".into(), range: Some((100.0, 0.0)) };
    }
    let svg = figure.to_svg();
    let document = Document::parse(&svg)?;
    let mark = |x: &str| {
        let mut circles = document.descendants().filter(|node| node.has_tag_name("circle"));
        let circle = circles.find(|node| node.attribute("data-x") == Some(x));
        circle.and_then(|node| node.attribute("cx")?.parse::<f64>().ok())
    };
    assert!(mark("90") < mark("40"), "{:?} {:?}", mark("90"), mark("40"));
    Ok(())
}
