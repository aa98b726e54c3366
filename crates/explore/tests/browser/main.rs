//! The page in Chromium: brushing, marking, keys, two windows, hostile names, a phone, the dark.
//!
//! `DATADIET_SCREENSHOTS=<folder>` keeps pictures of the pages for people to look at.

#[path = "../common/mod.rs"]
mod common;
mod driver;
#[path = "../../../report/tests/browser/installed.rs"]
#[allow(dead_code, reason = "the report's tests look at how it is found")]
mod installed;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use common::{Folder, names, serve, table};
use datadiet_core::{Direction, Task};
use datadiet_explore::{Explorer, Options, Place, Source};
use datadiet_table::{Column, MarkFile, Verdict};
use driver::{Browser, DESKTOP, Tab, View};
use serde_json::{Value, json};

/// Loads the page again; the one that goes is not taken for the one that comes.
const RELOAD: &str = "delete window.datadiet; location.reload()";

fn browser() -> Option<Browser> {
    installed::browser("the explorer in a browser").map(|program| Browser::start(&program))
}

fn with_pictures() -> (Folder, String) {
    let folder = Folder::new(table(600, &names(10), None));
    let source = Source::Folder(folder.pictures());
    let url = serve(Explorer::open(folder.options(source)).unwrap());
    (folder, url)
}

/// Chooses in a list of the page, as somebody does.
fn choose(browser: &mut Browser, tab: &Tab, selector: &str, value: &str) {
    browser.eval(
        tab,
        &format!(
            "(() => {{ const one = document.querySelector({}); one.value = {}; one.dispatchEvent(new Event('change')); }})()",
            json!(selector),
            json!(value)
        ),
    );
}

fn keep_picture(browser: &mut Browser, tab: &Tab, name: &str) {
    if let Some(folder) = std::env::var_os("DATADIET_SCREENSHOTS") {
        std::fs::create_dir_all(&folder).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(400));
        browser.picture(tab, &PathBuf::from(folder).join(format!("{name}.png")));
    }
}

/// The page complained of nothing, loaded all pictures, and nothing hurt it.
fn check_sound(browser: &mut Browser, tab: &Tab) {
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
    let broken = "[...document.images].filter((one) => one.src && one.complete && one.naturalWidth === 0).length";
    assert_eq!(browser.eval(tab, broken), 0, "broken pictures");
    assert_ne!(browser.eval(tab, "document.title"), "hurt");
    assert_eq!(
        browser.eval(tab, "document.documentElement.scrollWidth <= innerWidth"),
        true,
        "it scrolls sideways"
    );
}

#[test]
fn what_is_brushed_in_one_is_seen_in_the_others() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    assert_eq!(browser.eval(&tab, "datadiet.state.selCount"), 600);
    assert_eq!(
        browser.eval(&tab, "[datadiet.state.x, datadiet.state.y]"),
        json!(["variability@4", "confidence@4"])
    );
    keep_picture(&mut browser, &tab, "test-desktop");

    // The lower part of the map: low confidence.
    browser.drag(&tab, "#map", [0.15, 0.6], [0.97, 0.95], 8);
    browser.wait(
        &tab,
        "datadiet.state.selCount < 600 && datadiet.gallery.list.length === datadiet.state.selCount",
    );
    let chosen = browser.eval(&tab, "[...datadiet.gallery.list]");
    let brush: Vec<f32> = serde_json::from_value(browser.eval(&tab, "datadiet.map.brush")).unwrap();
    let columns = folder.table.columns();
    let (x, y) =
        (columns.floats("variability@4").unwrap(), columns.floats("confidence@4").unwrap());
    let inside = |row: &u32| {
        let (x, y) = (x[*row as usize], y[*row as usize]);
        x >= brush[0] && x <= brush[1] && y >= brush[2] && y <= brush[3]
    };
    let order =
        folder.table.ranking("el2n@4", None).unwrap().hardest_first(&folder.table.ids()).unwrap();
    let expected: Vec<u32> = order.into_iter().map(|row| row.0).filter(inside).collect();
    assert!(!expected.is_empty() && expected.len() < 600);
    assert_eq!(chosen, json!(expected), "the gallery has what is in the brush, hardest first");
    let counted = browser.eval(&tab, "document.querySelector('#count').textContent");
    assert!(
        counted.as_str().unwrap().starts_with(&format!("{} chosen", expected.len())),
        "{counted}"
    );

    // And a part of the histogram of that.
    browser.drag(&tab, "#hist", [0.1, 0.5], [0.5, 0.5], 6);
    browser.wait(&tab, "datadiet.hist.brush !== null");
    let (h, fewer): (Vec<f32>, usize) = serde_json::from_value(
        browser.eval(&tab, "[datadiet.hist.brush, datadiet.state.selCount]"),
    )
    .unwrap();
    let aum = columns.floats("aum@4").unwrap();
    let both = expected.iter().filter(|&&row| (h[0]..=h[1]).contains(&aum[row as usize])).count();
    assert_eq!(fewer, both);

    // Filters: one class alone.
    browser.click(&tab, "#clear");
    browser.wait(&tab, "datadiet.state.selCount === 600");
    browser.click(&tab, "[data-focus='label-3']");
    browser.wait(&tab, "datadiet.state.selCount < 600");
    let labels = columns.integers("label").unwrap();
    assert_eq!(
        browser.eval(&tab, "datadiet.state.selCount"),
        labels.iter().filter(|&&label| label == 3).count()
    );
    // Loaded again, it shows the same part.
    browser.eval(&tab, RELOAD);
    browser.wait(&tab, "window.datadiet && document.body.dataset.suspects === 'yes'");
    assert_eq!(
        browser.eval(&tab, "datadiet.state.selCount"),
        labels.iter().filter(|&&label| label == 3).count()
    );
    check_sound(&mut browser, &tab);
}

/// Filters by any column, of many values, and of classes by their names: after a reload they are as they were.
#[test]
fn filters_are_the_same_after_a_reload() {
    let Some(mut browser) = browser() else { return };
    let mut found = table(600, &names(2), None);
    found
        .columns_mut()
        .push("group", Column::U32((0..600).map(|row| row % 300).collect()))
        .unwrap();
    let folder = Folder::new(found);
    let tab = browser.open(&serve(folder.explorer()), DESKTOP);
    browser.ready(&tab);
    for column in ["group", "predicted@1"] {
        choose(&mut browser, &tab, "[data-focus=more]", column);
        browser
            .wait(&tab, &format!("document.querySelector('[data-focus=\"column-{column}-1\"]')"));
    }
    let class = "document.querySelector('[data-focus=\"column-predicted@1-1\"] .name').textContent";
    assert_eq!(browser.eval(&tab, class), "square");
    browser.click(&tab, "[data-focus='column-predicted@1-1']");
    browser.eval(
        &tab,
        "(() => { const { facets } = datadiet; const group = facets.facets.find(({ key }) => key === 'column-group');
        for (let code = 0; code < 249; code++) group.chosen.add(code);
        facets.toggle(group, 249); })()",
    );
    let predicted = folder.table.columns().integers("predicted@1").unwrap();
    let expected = (0..600).filter(|row| row % 300 < 250 && predicted[*row] == 1).count();
    assert_eq!(browser.eval(&tab, "datadiet.state.selCount"), expected);
    browser.eval(&tab, RELOAD);
    browser.wait(&tab, "window.datadiet && document.body.dataset.suspects === 'yes'");
    assert_eq!(browser.eval(&tab, "datadiet.state.selCount"), expected);
    assert_eq!(browser.eval(&tab, "document.querySelector('#toast').hidden"), true);
    // What the scores do not have any more is told, not left out in part.
    browser.eval(
        &tab,
        "(() => { const state = JSON.parse(decodeURIComponent(location.hash.slice(1)));
        state.facets = { 'column-group': [0, 999], 'column-gone': [1] };
        history.replaceState(null, '', '#' + encodeURIComponent(JSON.stringify(state))); })()",
    );
    browser.eval(&tab, RELOAD);
    browser.wait(&tab, "window.datadiet && document.body.dataset.suspects === 'yes'");
    assert_eq!(browser.eval(&tab, "datadiet.state.selCount"), 600);
    let told = browser.eval(&tab, "document.querySelector('#toast').textContent");
    assert!(told.as_str().unwrap().contains("column-group, column-gone"), "{told}");
    check_sound(&mut browser, &tab);
}

/// Three columns that order 40 examples alike: the map begins with the last and the first.
fn of_one_order() -> Folder {
    let mut found = common::of_task(Task::Loss, 40, &[]);
    for (name, step) in [("loss@1", 0.01), ("loss@2", 0.02), ("loss@3", 0.03)] {
        let values = (0..40).map(|row| row as f32 * step).collect();
        found.columns_mut().push(name, Column::F32(values)).unwrap();
    }
    Folder::new(found)
}

/// A tile whose example stays where it is, and the box at the pointer, are not left as they were.
#[test]
fn numbers_are_of_the_column_that_is_named() {
    let Some(mut browser) = browser() else { return };
    let folder = of_one_order();
    let tab = browser.open(&serve(folder.explorer()), DESKTOP);
    browser.ready(&tab);
    let tile = "(() => { const one = document.querySelector('#tile-0'); return one && [one.row, one.querySelector('.score').textContent, one.getAttribute('aria-label')]; })()";
    for (column, value) in [("loss@1", "0.390"), ("loss@2", "0.780"), ("loss@1", "0.390")] {
        choose(&mut browser, &tab, "#sort", column);
        browser.wait(&tab, &format!("datadiet.state.sort === '{column}'"));
        assert_eq!(browser.eval(&tab, tile), json!([39, value, format!("{column} {value}")]));
    }
    browser.eval(&tab, "datadiet.map.nearest = () => 7");
    let box_of = "(() => { document.querySelector('#map').dispatchEvent(new PointerEvent('pointermove', { clientX: 300, clientY: 300 }));
        return document.querySelector('#hover').textContent; })()";
    for (column, value) in [("loss@1", "0.070"), ("loss@2", "0.140")] {
        for axis in ["#x", "#y"] {
            choose(&mut browser, &tab, axis, column);
        }
        browser.wait(
            &tab,
            &format!(
                "[datadiet.map.x, datadiet.map.y].every((of) => Math.abs(of[7] - {value}) < 1e-6)"
            ),
        );
        assert_eq!(browser.eval(&tab, box_of), format!("{value}, {value}"));
    }
    check_sound(&mut browser, &tab);
}

/// What comes late is not drawn under the name of what was asked for since; what does not come is asked for again.
#[test]
fn axes_are_those_that_the_controls_name() {
    let Some(mut browser) = browser() else { return };
    let folder = of_one_order();
    let tab = browser.open(&serve(folder.explorer()), DESKTOP);
    browser.ready(&tab);
    let shown =
        "[datadiet.state.x, document.querySelector('#x').value, datadiet.map.x[10].toFixed(2)]";
    let of_last = json!(["loss@3", "loss@3", "0.30"]);
    assert_eq!(browser.eval(&tab, shown), of_last);
    browser.eval(
        &tab,
        "(() => { const real = window.fetch; window.fetch = async (address, options) => {
        if (!String(address).includes('column?name=loss%402')) return real(address, options);
        await new Promise((done) => { window.go = done; });
        return window.broken ? new Response('the disk is gone', { status: 500 }) : real(address, options); }; })()",
    );
    let settled = "new Promise((done) => { window.go(); setTimeout(done, 300); })";
    choose(&mut browser, &tab, "#x", "loss@2");
    assert_eq!(browser.eval(&tab, "datadiet.state.x"), "loss@3", "it is not there yet");
    choose(&mut browser, &tab, "#x", "loss@3");
    browser.eval(&tab, settled);
    assert_eq!(browser.eval(&tab, shown), of_last);
    // What failed once is asked for again.
    browser.eval(&tab, RELOAD);
    browser.wait(&tab, "window.datadiet && document.body.dataset.suspects === 'yes'");
    browser.eval(
        &tab,
        "(() => { const real = window.fetch; window.broken = true; window.fetch = async (address, options) =>
        window.broken && String(address).includes('column?name=loss%402') ? new Response('the disk is gone', { status: 500 }) : real(address, options); })()",
    );
    for control in ["#x", "#sort"] {
        choose(&mut browser, &tab, control, "loss@2");
        browser.wait(
            &tab,
            "document.querySelector('#toast').textContent.includes('the disk is gone')",
        );
        assert_eq!(browser.eval(&tab, shown), of_last);
        browser.eval(&tab, "document.querySelector('#toast').textContent = ''");
    }
    assert_eq!(browser.eval(&tab, "document.querySelector('#sort').value"), "loss@3");
    browser.eval(&tab, "window.broken = false");
    choose(&mut browser, &tab, "#x", "loss@2");
    browser.wait(&tab, "datadiet.state.x === 'loss@2'");
    assert_eq!(browser.eval(&tab, shown), json!(["loss@2", "loss@2", "0.20"]));
    check_sound(&mut browser, &tab);
}

/// What is chosen is told from what changed since the last frame; it must be what a look at all examples gives.
#[test]
fn brushing_chooses_what_a_look_at_all_would() {
    let Some(mut browser) = browser() else { return };
    let folder = Folder::new(table(20_000, &names(10), None));
    let tab = browser.open(&serve(folder.explorer()), DESKTOP);
    browser.ready(&tab);
    let check = "(() => {
        const { state, map, hist } = datadiet;
        const [b, r] = [map.brush, hist.brush];
        let count = 0;
        const counts = new Uint32Array(map.counts.length), bars = new Uint32Array(256);
        for (let i = 0; i < state.sel.length; i++) {
            const one = state.pass[i] && (!b || (map.x[i] >= b[0] && map.x[i] <= b[1] && map.y[i] >= b[2] && map.y[i] <= b[3])) &&
                (!r || (hist.values[i] >= r[0] && hist.values[i] <= r[1])) ? 1 : 0;
            if (one !== state.sel[i]) return `row ${i}`;
            if (one) { count++; counts[map.cells[i]]++; bars[hist.bars[i]]++; }
        }
        if (count !== state.selCount) return 'count';
        if (counts.some((one, at) => one !== map.counts[at])) return 'pixels';
        return bars.some((one, at) => one !== datadiet.chosen.bars[at]) ? 'bars' : count;
    })()";
    let mut counts = Vec::new();
    for (selector, from, to) in [
        ("#map", [0.2, 0.3], [0.6, 0.7]),
        // The part is moved, over the edge, then narrowed by the histogram, which is moved too.
        ("#map", [0.4, 0.5], [0.8, 0.9]),
        ("#hist", [0.2, 0.5], [0.7, 0.5]),
        ("#hist", [0.4, 0.5], [0.6, 0.5]),
        ("#map", [0.3, 0.1], [0.9, 0.95]),
    ] {
        browser.drag(&tab, selector, from, to, 40);
        browser.wait(&tab, "datadiet.gallery.list.length === datadiet.state.selCount");
        counts.push(browser.eval(&tab, check));
    }
    // Zoomed in, with a part that reaches beyond what is seen, under a filter.
    browser.click(&tab, "#zoom");
    browser.click(&tab, "[data-focus='label-3']");
    browser.drag(&tab, "#map", [0.3, 0.3], [0.6, 0.6], 20);
    browser.drag(&tab, "#map", [0.45, 0.45], [0.99, 0.05], 40);
    counts.push(browser.eval(&tab, check));
    assert!(counts.iter().all(Value::is_u64), "{counts:?}");
    assert!(counts.iter().any(|count| count.as_u64() > Some(100)), "{counts:?}");
    check_sound(&mut browser, &tab);
}

#[test]
fn suspects_are_found_and_marked_by_keyboard_alone() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    let first = browser.eval(&tab, "datadiet.gallery.row");
    // Wrong, with the class that is predicted.
    browser.key(&tab, "w");
    browser.wait(&tab, "document.querySelector('#picker').open");
    keep_picture(&mut browser, &tab, "test-picker");
    browser.key(&tab, "Enter");
    browser.wait(&tab, "datadiet.state.marks.some((mark) => mark === 1)");
    let row = first.as_u64().unwrap() as usize;
    let predicted = folder.table.columns().integers("predicted@4").unwrap()[row];
    assert_eq!(browser.eval(&tab, &format!("datadiet.state.right[{row}]")), predicted);
    let second = browser.eval(&tab, "datadiet.gallery.row");
    assert_ne!(first, second, "it goes on to the next");
    // A class by its name.
    browser.key(&tab, "w");
    browser.wait(&tab, "document.querySelector('#picker').open");
    browser.write(&tab, "wedg");
    browser.key(&tab, "Enter");
    browser.wait(&tab, "!document.querySelector('#picker').open && datadiet.state.marks.filter(Boolean).length === 2");
    let third = browser.eval(&tab, "datadiet.gallery.row");
    browser.key(&tab, "d");
    browser.wait(&tab, "datadiet.state.marks.filter(Boolean).length === 3");
    let fourth = browser.eval(&tab, "datadiet.gallery.row");
    browser.key(&tab, "k");
    browser.wait(&tab, "datadiet.state.marks.filter(Boolean).length === 4");
    browser.key(&tab, "u");
    browser.wait(&tab, "datadiet.state.marks.filter(Boolean).length === 5");
    browser.key(&tab, "z");
    browser.wait(&tab, "datadiet.state.marks.filter(Boolean).length === 4");

    browser.wait(&tab, "datadiet.marking.waiting.length === 0");
    let (_, acts) = MarkFile::read(&folder.marks(), None).unwrap();
    let said: Vec<_> =
        acts.iter().map(|act| (act.mark, act.label.clone(), act.ids[0].clone())).collect();
    let id = |row: &Value| row.to_string();
    let class = |number: u32| Some(names(10)[number as usize].clone());
    assert_eq!(
        said[..4],
        [
            (Some(Verdict::Wrong), class(predicted), id(&first)),
            (Some(Verdict::Wrong), Some("wedge".into()), id(&second)),
            (Some(Verdict::Drop), None, id(&third)),
            (Some(Verdict::Keep), None, id(&fourth)),
        ]
    );
    assert_eq!((said[5].0, acts[5].undoes.as_deref()), (None, Some(acts[4].act.as_str())));

    // An example on its own, through the keyboard, and back.
    browser.key(&tab, "Enter");
    browser.wait(
        &tab,
        "!document.querySelector('#example').hidden && document.querySelector('#example table')",
    );
    browser.key(&tab, "ArrowRight");
    browser.wait(&tab, "datadiet.gallery.cursor === 5 && document.querySelector('#example table')");
    keep_picture(&mut browser, &tab, "test-example");
    browser.key(&tab, "Escape");
    browser.wait(&tab, "document.querySelector('#example').hidden");
    // An id.
    browser.key(&tab, "/");
    browser.write(&tab, "123");
    browser.key(&tab, "Enter");
    browser.wait(&tab, "document.querySelector('#example h2')?.textContent === 'Example 123'");
    browser.key(&tab, "Escape");
    browser.key(&tab, "Escape");
    // The map by keys: a part of it, which is moved.
    browser.key(&tab, "m");
    browser.key(&tab, "ArrowRight");
    browser.wait(&tab, "datadiet.map.brush !== null && datadiet.state.selCount < 600");
    let before = browser.eval(&tab, "datadiet.map.brush[0]");
    browser.key(&tab, "ArrowRight");
    browser.wait(&tab, &format!("datadiet.map.brush[0] > {before}"));
    check_sound(&mut browser, &tab);
}

/// Keys act on the example that is open, wherever it was reached from, and it stays until somebody goes on.
#[test]
fn the_example_that_is_open_is_the_one_that_is_marked() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    browser.key(&tab, "Enter");
    // A neighbour: the cursor goes along.
    let neighbour = "#example .neighbours button:nth-child(4)";
    browser.wait(&tab, &format!("document.querySelector('{neighbour}')"));
    let fourth = browser.eval(&tab, "datadiet.gallery.list[3]");
    browser.eval(&tab, &format!("document.querySelector('{neighbour}').click()"));
    let heading = |row: &Value| {
        format!("document.querySelector('#example h2')?.textContent === 'Example {row}'")
    };
    browser.wait(&tab, &heading(&fourth));
    assert_eq!(browser.eval(&tab, "datadiet.gallery.cursor"), 3);
    let fifth = browser.eval(&tab, "datadiet.gallery.list[4]");
    browser.key(&tab, "d");
    browser.wait(&tab, &heading(&fifth));
    browser.key(&tab, "k");
    let marks = "Object.entries(datadiet.state.marks).filter(([, mark]) => mark)";
    let expected = |mut marks: Vec<(u64, u32)>| {
        marks.sort_unstable();
        json!(marks.iter().map(|(row, mark)| json!([row.to_string(), mark])).collect::<Vec<_>>())
    };
    let mut said = vec![(fourth.as_u64().unwrap(), 2), (fifth.as_u64().unwrap(), 3)];
    assert_eq!(browser.eval(&tab, marks), expected(said.clone()));
    // One that the filter leaves out, found by its id: it stays open, and is the one that is marked.
    browser.key(&tab, "Escape");
    browser.click(&tab, "[data-focus='label-3']");
    browser.wait(&tab, "datadiet.state.selCount < 600");
    let labels = folder.table.columns().integers("label").unwrap();
    let hidden =
        (0..600_u64).find(|&row| labels[row as usize] != 3 && said.iter().all(|one| one.0 != row));
    let hidden = hidden.unwrap();
    browser.key(&tab, "/");
    browser.write(&tab, &hidden.to_string());
    browser.key(&tab, "Enter");
    browser.wait(&tab, &heading(&json!(hidden)));
    for key in ["d", "k"] {
        browser.key(&tab, key);
        browser.wait(&tab, "datadiet.marking.waiting.length === 0");
        browser.wait(&tab, &heading(&json!(hidden)));
    }
    said.push((hidden, 3));
    assert_eq!(browser.eval(&tab, marks), expected(said));
    check_sound(&mut browser, &tab);
}

/// What is sent is held up so long, as by a slow disk.
const SLOW: &str =
    "(() => { const real = window.fetch; window.fetch = async (address, options) => {
    if (options?.method === 'POST') await new Promise((done) => setTimeout(done, 150));
    return real(address, options); }; })()";

#[test]
fn keys_in_quick_succession_mark_one_example_each_and_are_saved_in_order() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    browser.eval(&tab, SLOW);
    let ten = browser.eval(&tab, "[...datadiet.gallery.list].slice(0, 10)");
    for _ in 0..10 {
        browser.key(&tab, "d");
    }
    assert_eq!(browser.eval(&tab, "datadiet.gallery.cursor"), 10, "before the disk has them");
    assert_eq!(browser.eval(&tab, "datadiet.state.marks.filter((mark) => mark === 2).length"), 10);
    assert_ne!(browser.eval(&tab, "datadiet.marking.waiting.length"), 0);
    for key in ["w", "Enter", "w", "Enter", "w", "Enter"] {
        browser.key(&tab, key);
    }
    assert_eq!(browser.eval(&tab, "datadiet.gallery.cursor"), 13);
    browser.wait(&tab, "datadiet.marking.waiting.length === 0");
    let (_, acts) = MarkFile::read(&folder.marks(), None).unwrap();
    let ids: Vec<u32> = acts.iter().map(|act| act.ids[0].parse().unwrap()).collect();
    assert_eq!(json!(ids[..10]), ten);
    assert_eq!(json!(ids), browser.eval(&tab, "[...datadiet.gallery.list].slice(0, 13)"));
    assert!(acts[10..].iter().all(|act| act.mark == Some(Verdict::Wrong) && act.label.is_some()));
    check_sound(&mut browser, &tab);
}

#[test]
fn what_cannot_be_saved_is_taken_back_and_said() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    browser.key(&tab, "k");
    browser.wait(&tab, "datadiet.marking.waiting.length === 0");
    browser.eval(
        &tab,
        "(() => { const real = window.fetch; window.real = real; window.fetch = async (address, options) => {
        if (options?.method !== 'POST') return real(address, options);
        await new Promise((done) => setTimeout(done, 300));
        return new Response('the disk is full', { status: 500 }); }; })()",
    );
    browser.key(&tab, "d");
    browser.key(&tab, "u");
    browser.key(&tab, "z");
    browser.wait(&tab, "document.querySelector('#toast').textContent.includes('the disk is full')");
    assert_eq!(browser.eval(&tab, "datadiet.state.marks.filter(Boolean)"), json!({ "0": 3 }));
    assert_eq!(browser.eval(&tab, "datadiet.gallery.cursor"), 1, "where the first was not saved");
    keep_picture(&mut browser, &tab, "test-not-saved");
    browser.eval(&tab, "window.fetch = window.real");
    browser.key(&tab, "d");
    browser.wait(&tab, "datadiet.marking.waiting.length === 0");
    assert_eq!(browser.eval(&tab, "document.querySelector('#toast').hidden"), true);
    assert_eq!(MarkFile::read(&folder.marks(), None).unwrap().1.len(), 2);
}

#[test]
fn undo_goes_back_through_what_one_example_was_marked_as() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    browser.eval(&tab, SLOW);
    let row = browser.eval(&tab, "datadiet.gallery.row");
    let height = browser.eval(&tab, "document.querySelector('main').getBoundingClientRect().top");
    for key in ["k", "ArrowLeft", "d", "ArrowRight", "ArrowRight", "z"] {
        browser.key(&tab, key);
    }
    let mark = format!("datadiet.state.marks[{row}]");
    assert_eq!(browser.eval(&tab, &mark), 3);
    assert_eq!(browser.eval(&tab, "datadiet.gallery.row"), row, "the cursor is on what was undone");
    browser.wait(&tab, "datadiet.marking.waiting.length === 0");
    assert_eq!(browser.eval(&tab, &mark), 3);
    let told = browser.eval(&tab, "document.querySelector('#toast').textContent");
    assert_eq!(told, format!("Undone: example {row} is marked “keep” again"));
    assert_eq!(
        browser.eval(&tab, "document.querySelector('main').getBoundingClientRect().top"),
        height
    );
    keep_picture(&mut browser, &tab, "test-undone");
    browser.key(&tab, "z");
    browser.wait(&tab, "datadiet.marking.waiting.length === 0");
    assert_eq!(browser.eval(&tab, &mark), 0);
    let told = browser.eval(&tab, "document.querySelector('#toast').textContent");
    assert_eq!(told, format!("Undone: example {row} is unmarked again"));
    assert_eq!(browser.eval(&tab, "document.querySelector('#undo').disabled"), true);
    assert_eq!(MarkFile::read(&folder.marks(), None).unwrap().1.len(), 4);
    check_sound(&mut browser, &tab);
}

#[test]
fn several_become_what_is_predicted_of_each_and_many_are_not_marked_by_two_enters() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    for key in ["x", "ArrowRight", "x", "ArrowRight", "x", "w"] {
        browser.key(&tab, key);
    }
    browser.wait(&tab, "document.querySelector('#picker').open");
    let first = browser
        .eval(&tab, "document.querySelector('#class-list [aria-selected=true]').textContent");
    assert!(first.as_str().unwrap().starts_with("each as predicted"), "{first}");
    // A class that is typed goes before that, whatever letters the offer has in it.
    let offered = "[...document.querySelectorAll('#class-list li')].map((one) => one.textContent)";
    browser.write(&tab, "a");
    let options: Vec<String> = serde_json::from_value(browser.eval(&tab, offered)).unwrap();
    assert_eq!(options[0], "arc", "{options:?}");
    assert!(options.last().unwrap().starts_with("each as predicted"), "{options:?}");
    browser.eval(&tab, "(() => { const one = document.querySelector('#class-search'); one.value = ''; one.dispatchEvent(new Event('input')); })()");
    let predicted = folder.table.columns().integers("predicted@4").unwrap().to_vec();
    let labels = folder.table.columns().integers("label").unwrap().to_vec();
    let rows: Vec<usize> =
        serde_json::from_value(browser.eval(&tab, "[...datadiet.gallery.picked]")).unwrap();
    keep_picture(&mut browser, &tab, "test-picker-several");
    browser.key(&tab, "Enter");
    browser
        .wait(&tab, "datadiet.marking.waiting.length === 0 && datadiet.state.marks.some(Boolean)");
    for &row in &rows {
        let right = browser.eval(&tab, &format!("datadiet.state.right[{row}]"));
        match predicted[row] == labels[row] {
            true => assert_eq!(right, -1),
            false => assert_eq!(right, predicted[row]),
        }
    }
    // One step takes all of them back.
    browser.key(&tab, "z");
    browser.wait(&tab, "datadiet.marking.waiting.length === 0");
    assert_eq!(browser.eval(&tab, "datadiet.state.marks.some(Boolean)"), false);
    // All of them: what has the focus leaves them.
    for key in ["a", "w", "Enter", "Enter"] {
        browser.key(&tab, key);
    }
    assert_eq!(browser.eval(&tab, "datadiet.state.marks.some(Boolean)"), false);
    check_sound(&mut browser, &tab);
}

#[test]
fn a_page_of_an_earlier_start_says_so() {
    let Some(mut browser) = browser() else { return };
    let folder = Folder::new(table(100, &names(4), None));
    let server = folder.explorer().bind(&Place::default()).unwrap();
    let url = server.url();
    let port = url.split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let first = std::thread::spawn(move || server.run_until(move || _ = ended.recv()).unwrap());
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    drop(end);
    first.join().unwrap();
    let again = folder.explorer().bind(&Place { port, ..Place::default() }).unwrap();
    std::thread::spawn(move || again.run().unwrap());
    browser.wait(&tab, "document.querySelector('#banner').textContent.includes('earlier start')");
    browser.key(&tab, "d");
    browser.wait(&tab, "document.querySelector('#toast').textContent.includes('taken back')");
    assert_eq!(browser.eval(&tab, "datadiet.state.marks.some(Boolean)"), false);
    browser.key(&tab, "Enter");
    browser.wait(
        &tab,
        "document.querySelector('#example h2')?.textContent.includes('cannot be shown')",
    );
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(browser.eval(&tab, "document.querySelector('#banner').hidden"), false);
    keep_picture(&mut browser, &tab, "test-earlier-start");
}

#[test]
fn keys_go_back_to_the_examples() {
    let Some(mut browser) = browser() else { return };
    let (_folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    // After an id was found the keys are the example's.
    browser.key(&tab, "/");
    browser.write(&tab, "123");
    browser.key(&tab, "Enter");
    browser.wait(&tab, "document.querySelector('#example table')");
    browser.key(&tab, "d");
    assert_eq!(browser.eval(&tab, "datadiet.state.marks[123]"), 2);
    browser.key(&tab, "Escape");
    // One Esc closes the panel.
    browser.key(&tab, "p");
    browser.wait(&tab, "!document.querySelector('#cost').hidden");
    browser.key(&tab, "Escape");
    assert_eq!(browser.eval(&tab, "document.querySelector('#cost').hidden"), true);
    let cursor = browser.eval(&tab, "datadiet.gallery.cursor").as_u64().unwrap();
    browser.key(&tab, "ArrowRight");
    assert_eq!(browser.eval(&tab, "datadiet.gallery.cursor"), cursor + 1);
    // What is chosen stays where the map is zoomed in; S shows all.
    browser.drag(&tab, "#map", [0.3, 0.3], [0.7, 0.7], 4);
    browser.wait(&tab, "datadiet.state.selCount < 600");
    let count = browser.eval(&tab, "datadiet.state.selCount");
    browser.click(&tab, "#zoom");
    assert_eq!(browser.eval(&tab, "datadiet.state.selCount"), count);
    browser.drag(&tab, "#map", [0.4, 0.4], [0.6, 0.6], 4);
    browser.wait(&tab, &format!("datadiet.state.selCount < {count}"));
    browser.key(&tab, "s");
    browser.wait(&tab, "datadiet.state.selCount === 600");
    check_sound(&mut browser, &tab);
}

#[test]
fn two_windows_and_a_reload_see_the_same_marks() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let one = browser.open(&url, DESKTOP);
    browser.ready(&one);
    let two = browser.open(&url, DESKTOP);
    browser.ready(&two);
    // Pages in the background do not ask: each is looked at when it is its turn.
    let mark = "document.querySelector('[data-act=drop]').click()";
    browser.eval(&one, mark);
    browser.wait(&one, "datadiet.state.marks.filter(Boolean).length === 1");
    browser.eval(&two, "document.dispatchEvent(new Event('visibilitychange'))");
    browser.wait(&two, "datadiet.state.marks.filter(Boolean).length === 1");
    // The other says something else of the same; undoing here leaves that.
    let row = browser.eval(&two, "datadiet.state.marks.findIndex(Boolean)");
    browser.eval(&two, "document.querySelector('[data-act=keep]').click()");
    browser.wait(&two, &format!("datadiet.state.marks[{row}] === 3"));
    browser.eval(&one, "document.querySelector('#undo').click()");
    browser.wait(&one, &format!("datadiet.state.marks[{row}] === 3"));
    browser.wait(&one, "document.querySelector('#toast').textContent.includes('otherwise since')");
    browser.eval(&one, RELOAD);
    browser.wait(
        &one,
        &format!(
            "window.datadiet && document.body.dataset.suspects && datadiet.state.marks[{row}] === 3"
        ),
    );
    assert_eq!(MarkFile::read(&folder.marks(), None).unwrap().1.len(), 2);
    // Loaded again, it undoes what this person did last, wherever that was.
    browser.wait(&one, "!document.querySelector('#undo').disabled");
    browser.key(&one, "z");
    browser.wait(&one, &format!("datadiet.state.marks[{row}] === 2"));
    browser
        .wait(&one, "document.querySelector('#toast').textContent.includes('what you did before')");
    browser.key(&one, "z");
    browser.wait(&one, &format!("datadiet.state.marks[{row}] === 0"));
    browser.wait(&one, "document.querySelector('#undo').disabled");
    check_sound(&mut browser, &one);
}

#[test]
fn the_cost_of_keeping_fewer_is_shown() {
    let Some(mut browser) = browser() else { return };
    let (folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    browser.key(&tab, "p");
    browser.wait(&tab, "document.querySelectorAll('#cost .shares li').length === 10");
    browser.eval(&tab, "(() => { const one = document.querySelector('#cost [data-of=keep] input'); one.value = 0.2;
        one.dispatchEvent(new Event('input')); })()");
    browser.wait(&tab, "document.querySelector('#cost strong')?.textContent === '120'");
    browser.wait(
        &tab,
        "document.querySelector('#cost .caution')?.textContent.includes('worse than a random')",
    );
    let command = browser.eval(&tab, "document.querySelector('#cost code').textContent");
    let expected = format!(
        "datadiet select {} --by el2n@4 --rule hardest --keep 0.2 --out kept.parquet",
        folder.path().display()
    );
    assert_eq!(command, expected);
    keep_picture(&mut browser, &tab, "test-cost");
    check_sound(&mut browser, &tab);
}

/// Nothing is coloured as kept by a choice that failed, or by none.
#[test]
fn what_is_kept_is_not_coloured_where_nobody_knows() {
    let Some(mut browser) = browser() else { return };
    let (_folder, url) = with_pictures();
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    let coloured =
        "[datadiet.state.colours.length, datadiet.state.codes.filter((code) => code === 1).length]";
    choose(&mut browser, &tab, "#colour", "kept");
    browser.wait(&tab, "datadiet.state.kept !== null");
    assert_eq!(browser.eval(&tab, coloured), json!([2, 300]));
    browser.eval(
        &tab,
        "(() => { const real = window.fetch; window.fetch = async (address, options) =>
        String(address).includes('api/choice') ? new Response('the disk is gone', { status: 500 }) : real(address, options);
        const one = document.querySelector('#cost [data-of=keep] input'); one.value = 0.2; one.dispatchEvent(new Event('input')); })()",
    );
    browser.wait(&tab, "document.querySelector('#toast').textContent.includes('the disk is gone')");
    assert_eq!(browser.eval(&tab, coloured), json!([1, 0]));
    assert!(
        browser
            .eval(&tab, "document.querySelector('#cost').textContent")
            .as_str()
            .unwrap()
            .contains("the disk is gone")
    );
    // Loaded again, it shows the choice that it colours by.
    browser.eval(&tab, RELOAD);
    browser.wait(&tab, "window.datadiet && datadiet.state.kept !== null");
    browser.wait(&tab, "document.querySelector('#cost strong')?.textContent === '300'");
    assert_eq!(browser.eval(&tab, coloured), json!([2, 300]));
    check_sound(&mut browser, &tab);
}

/// Whatever a column is called, a shell gives the command the words that are meant.
#[test]
fn the_command_of_a_choice_is_one_line_for_a_shell() {
    let Some(mut browser) = browser() else { return };
    let name = "it's; echo hurt > ~/*";
    let mut found = common::of_task(Task::Classification, 40, &["el2n@2"]);
    let values = (0..40).map(|row| if row == 3 { f32::NAN } else { row as f32 });
    found.columns_mut().push(name, Column::F32(values.collect())).unwrap();
    let folder = Folder::new(found);
    let options = Options {
        by: Some(name.into()),
        hard: Some(Direction::LowerIsHarder),
        ..folder.options(Source::Table)
    };
    let tab = browser.open(&serve(Explorer::open(options).unwrap()), DESKTOP);
    browser.ready(&tab);
    browser.key(&tab, "p");
    browser.wait(&tab, "document.querySelector('#cost code')");
    let line = browser.eval(&tab, "document.querySelector('#cost code').textContent");
    let script = format!("datadiet() {{ printf '%s\\n' \"$@\"; }}; {}", line.as_str().unwrap());
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let path = folder.path().display().to_string();
    let words = ["select", &path, "--by", name, "--hard-is", "low", "--rule", "hardest", "--keep"];
    let rest = ["0.5", "--out", "kept.parquet", "--drop-unscored"];
    let expected: String = words.iter().chain(&rest).map(|word| format!("{word}\n")).collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    check_sound(&mut browser, &tab);
}

#[test]
fn known_wrong_labels_are_a_filter_a_colour_and_a_line_of_the_cost() {
    let Some(mut browser) = browser() else { return };
    let folder = Folder::new(table(600, &names(10), None));
    let wrong = folder.table.columns().integers("touched").unwrap().to_vec();
    let file = folder.path().join("truth.json");
    std::fs::write(&file, json!({ "is_error": wrong }).to_string()).unwrap();
    let options = Options { truth: Some((file, None)), ..folder.options(Source::Table) };
    let tab = browser.open(&serve(Explorer::open(options).unwrap()), DESKTOP);
    browser.ready(&tab);
    let all: u32 = wrong.iter().sum();
    choose(&mut browser, &tab, "#colour", "truth");
    browser.key(&tab, "p");
    let line = "document.querySelector('#cost .known')?.textContent ?? ''";
    browser.wait(&tab, line);
    // The half that EL2N keeps is the harder one.
    let told = browser.eval(&tab, line);
    assert_eq!(told, format!("{all} of the {all} labels known to be wrong are kept (100 %)"));
    // By keys: the panel lies over a part of the map.
    browser.eval(&tab, "document.querySelector('#map').focus()");
    browser.key(&tab, "ArrowRight");
    browser.wait(&tab, &format!("({line}).includes('that are chosen')"));
    let counted = browser.eval(&tab, "[datadiet.state.truth.reduce((sum, one, i) => sum + one * datadiet.state.sel[i], 0), datadiet.state.selCount]");
    let told = browser.eval(&tab, line);
    let expected = format!("{} are among the {} that are chosen", counted[0], counted[1]);
    assert!(told.as_str().unwrap().contains(&expected), "{told} {expected}");
    keep_picture(&mut browser, &tab, "test-truth");
    browser.click(&tab, "#clear");
    browser.wait(&tab, "datadiet.state.selCount === 600");
    browser.click(&tab, "[data-focus='truth-1']");
    browser.wait(&tab, &format!("datadiet.state.selCount === {all}"));
    check_sound(&mut browser, &tab);
}

/// A table of each task: axes, captions, and nothing that breaks without labels.
#[test]
fn tables_of_other_tasks_are_shown() {
    let Some(mut browser) = browser() else { return };
    let rows = 300;
    let text = |word: &dyn Fn(usize) -> String| Column::Text((0..rows).map(word).collect());
    let number = |of: &dyn Fn(usize) -> u32| Column::U32((0..rows).map(of).collect());
    for (task, scores, more) in [
        (
            Task::MultiLabel,
            &["el2n@2", "aum@2", "least-aum@2"][..],
            vec![
                ("least-aum-label@2", text(&|row| ["cat", "dog", "<b>bird</b>"][row % 3].into())),
                ("least-aum-given@2", number(&|row| (row % 2) as u32)),
            ],
        ),
        (
            Task::Tokens,
            &["mean-loss@2", "loss@2", "el2n@2"],
            vec![
                ("example", number(&|row| (row / 10) as u32)),
                ("position", number(&|row| (row % 10) as u32)),
                ("label", number(&|row| (row % 3) as u32)),
                ("class", text(&|row| ["O", "PER", "LOC"][row % 3].into())),
                ("token", text(&|row| format!("word{row}"))),
                ("predicted@2", number(&|row| (row % 4) as u32)),
            ],
        ),
        // A number that stands for no prediction.
        (
            Task::Classification,
            &["el2n@2", "loss@2"],
            vec![
                ("label", number(&|row| (row % 3) as u32)),
                ("predicted@2", number(&|row| if row == 5 { u32::MAX } else { 0 })),
            ],
        ),
        (Task::Regression, &["error-norm@2", "mean-error@2", "error-std@2"], vec![]),
        (Task::Loss, &["loss@2", "mean-loss@2", "loss-std@2"], vec![]),
    ] {
        let mut found = common::of_task(task, rows, scores);
        for (name, column) in more {
            found.columns_mut().push(name, column).unwrap();
        }
        let folder = Folder::new(found);
        let tab = browser.open(&serve(folder.explorer()), DESKTOP);
        browser.ready(&tab);
        browser.wait(&tab, "document.querySelector('.tile .text bdi')");
        if task == Task::MultiLabel {
            choose(&mut browser, &tab, "#sort", "least-aum@2");
            browser.wait(&tab, "document.querySelector('.tile .to')");
        }
        let caption = browser.eval(&tab, "document.querySelector('.tile .caption').textContent");
        let caption = caption.as_str().unwrap();
        match task {
            Task::MultiLabel => {
                assert!(caption.contains("not ") && caption.contains(" → "), "{caption}");
                let facet = "[...document.querySelectorAll('.facet h2')].some((one) => one.textContent.startsWith('Label that looks wrong'))";
                assert_eq!(browser.eval(&tab, facet), true);
            }
            Task::Tokens => {
                let text = browser.eval(&tab, "document.querySelector('.tile .text').textContent");
                let words = text.as_str().unwrap().split(' ').count();
                assert!(text.as_str().unwrap().contains("⟦word") && words == 10, "{text}");
            }
            Task::Classification => {
                browser.wait(
                    &tab,
                    "document.querySelector('#toast').textContent.includes('no classes')",
                );
            }
            Task::Regression | Task::Loss => assert_eq!(caption, ""),
        }
        // An example on its own, and a mark, which has no right class where there are no classes.
        browser.key(&tab, "Enter");
        browser.wait(&tab, "document.querySelector('#example table')");
        browser.key(&tab, "Escape");
        browser.key(&tab, "w");
        browser.wait(&tab, "document.querySelector('#picker').open");
        browser.key(&tab, "Enter");
        // Saved too: the folder goes with the table.
        browser.wait(
            &tab,
            "datadiet.state.marks.some(Boolean) && datadiet.marking.waiting.length === 0",
        );
        keep_picture(&mut browser, &tab, &format!("test-task-{task}"));
        check_sound(&mut browser, &tab);
    }
}

/// Serves one page on a port of its own, as a notebook does; gives its origin.
fn notebook(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(format!("{head}{page}").as_bytes());
        }
    });
    origin
}

#[test]
fn a_page_shows_it_in_a_frame_where_that_is_allowed() {
    let Some(mut browser) = browser() else { return };
    let folder = Folder::new(table(300, &names(10), None));
    let framed = |url: &str| format!("<iframe src='{url}' width=1300 height=700></iframe>");
    for (allowed, is_shown) in [
        (None, false),
        (Some("http://localhost:1"), false),
        (Some("vscode-webview:"), false),
        (Some("http://127.0.0.1:*"), true),
        (Some("null"), true),
    ] {
        let frames = allowed.map(str::to_owned).into_iter().collect();
        let server = folder.explorer().bind(&Place { frames, ..Place::default() }).unwrap();
        let page = framed(&server.url());
        std::thread::spawn(move || server.run().unwrap());
        browser.complaints.clear();
        let tab = browser.open(&notebook(page), DESKTOP);
        browser
            .wait(&tab, "document.readyState === 'complete' && document.querySelector('iframe')");
        let mut is_refused = false;
        // What is not refused by then is shown.
        for _ in 0..if is_shown { 10 } else { 200 } {
            std::thread::sleep(std::time::Duration::from_millis(100));
            browser.eval(&tab, "1");
            is_refused = browser.complaints.iter().any(|one| one.contains("frame-ancestors"));
            if is_refused {
                break;
            }
        }
        assert_eq!(is_refused, !is_shown, "{allowed:?}: {:?}", browser.complaints);
        if is_shown {
            keep_picture(&mut browser, &tab, "test-frame");
        }
    }
}

#[test]
fn hostile_names_ids_and_texts_do_nothing() {
    let Some(mut browser) = browser() else { return };
    let evil =
        "<img src=x onerror=\"document.title='hurt'\"><script>document.title='hurt'</script>";
    let mut classes = names(10);
    classes[0] = evil.into();
    classes[1] = "\u{202e}desrever\u{2066}".into();
    classes[2] = "x".repeat(50_000);
    classes[3] = "שלום".into();
    let keys: Vec<String> = (0..200).map(|row| format!("{evil}{row}")).collect();
    let line = |(row, key): (usize, &String)| {
        let text = format!("{evil} مرحبا {row} {}", "long ".repeat(row * 20));
        format!("{}\n", json!({ "id": key, "text": text }))
    };
    let texts: String = keys.iter().enumerate().map(line).collect();
    let folder = Folder::new(table(200, &classes, Some(keys)));
    let file = folder.path().join("texts.jsonl");
    std::fs::write(&file, texts).unwrap();
    let url = serve(Explorer::open(folder.options(Source::Texts(file))).unwrap());
    let tab = browser.open(&url, DESKTOP);
    browser.ready(&tab);
    browser.wait(&tab, "document.querySelector('.tile .text bdi')");
    assert_eq!(
        browser.eval(
            &tab,
            "document.querySelectorAll('#gallery img, #gallery script, #facets img').length"
        ),
        0
    );
    let text = browser.eval(&tab, "document.querySelector('.tile .text').textContent");
    assert!(text.as_str().unwrap().starts_with("<img src=x"), "{text}");
    browser.key(&tab, "w");
    browser.wait(&tab, "document.querySelector('#picker').open");
    browser.key(&tab, "Enter");
    browser.wait(&tab, "datadiet.state.marks.some(Boolean)");
    browser.key(&tab, "Enter");
    browser.wait(&tab, "document.querySelector('#example .whole-text')");
    keep_picture(&mut browser, &tab, "test-hostile");
    browser.key(&tab, "?");
    browser.wait(&tab, "document.querySelector('#help').open");
    browser.key(&tab, "Escape");
    check_sound(&mut browser, &tab);
}

#[test]
fn a_phone_and_the_dark() {
    let Some(mut browser) = browser() else { return };
    let (_folder, url) = with_pictures();
    let phone = View { width: 390, height: 800, phone: true, dark: false };
    let tab = browser.open(&url, phone);
    browser.ready(&tab);
    check_sound(&mut browser, &tab);
    keep_picture(&mut browser, &tab, "test-phone-map");
    browser.click(&tab, "#tabs [data-tab=gallery]");
    browser.wait(
        &tab,
        "datadiet.gallery.tiles.size > 0 && document.querySelector('#gallery').clientHeight > 200",
    );
    keep_picture(&mut browser, &tab, "test-phone-gallery");
    browser.click(&tab, ".tile");
    browser.wait(&tab, "document.querySelector('#example table')");
    check_sound(&mut browser, &tab);
    keep_picture(&mut browser, &tab, "test-phone-example");
    browser.eval(&tab, "document.querySelector('#example .head button:last-child').click()");
    browser.click(&tab, "#tabs [data-tab=facets]");
    browser.wait(&tab, "document.querySelector('#facets').clientHeight > 200");
    check_sound(&mut browser, &tab);

    browser.look(&tab, View { dark: true, ..DESKTOP });
    browser.wait(&tab, "getComputedStyle(document.documentElement).getPropertyValue('--page').trim() === '#12161b'");
    browser.wait(&tab, "document.querySelector('#plots').clientHeight > 200");
    keep_picture(&mut browser, &tab, "test-dark");
    check_sound(&mut browser, &tab);
}
