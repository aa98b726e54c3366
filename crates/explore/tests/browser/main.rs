//! The page in Chromium: brushing, marking, keys, two windows, hostile names, a phone, the dark.
//!
//! `DATADIET_SCREENSHOTS=<folder>` keeps pictures of the pages for people to look at.

#[path = "../common/mod.rs"]
mod common;
mod driver;
#[path = "../../../report/tests/browser/installed.rs"]
#[allow(dead_code, reason = "the report's tests look at how it is found")]
mod installed;

use std::path::PathBuf;

use common::{Folder, names, serve, table};
use datadiet_explore::{Explorer, Source};
use datadiet_table::{MarkFile, Verdict};
use driver::{Browser, DESKTOP, Tab, View};
use serde_json::{Value, json};

fn browser() -> Option<Browser> {
    installed::browser("the explorer in a browser").map(|program| Browser::start(&program))
}

fn with_pictures() -> (Folder, String) {
    let folder = Folder::new(table(600, &names(10), None));
    let source = Source::Folder(folder.pictures());
    let url = serve(Explorer::open(folder.options(source)).unwrap());
    (folder, url)
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
    browser.eval(&tab, "location.reload()");
    browser.wait(&tab, "window.datadiet && document.body.dataset.suspects === 'yes'");
    assert_eq!(
        browser.eval(&tab, "datadiet.state.selCount"),
        labels.iter().filter(|&&label| label == 3).count()
    );
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
    browser.wait(&tab, "datadiet.gallery.cursor === 6 && document.querySelector('#example table')");
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
    browser.wait(&one, "document.querySelector('#banner').textContent.includes('otherwise since')");
    browser.eval(&one, "location.reload()");
    browser.wait(
        &one,
        &format!(
            "window.datadiet && document.body.dataset.suspects && datadiet.state.marks[{row}] === 3"
        ),
    );
    assert_eq!(MarkFile::read(&folder.marks(), None).unwrap().1.len(), 2);
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
    let folder = Folder::new(table(200, &classes, Some(keys)));
    let texts: String =
        (0..200).map(|row| format!("{evil} مرحبا {row} {}\n", "long ".repeat(row * 20))).collect();
    let file = folder.path().join("texts.txt");
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
