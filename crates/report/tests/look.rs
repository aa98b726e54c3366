#[path = "common/mod.rs"]
mod common;
#[test]
fn look() {
    let page = common::page();
    std::fs::create_dir_all("/tmp/look").unwrap();
    let html = page.to_html();
    println!("{} bytes", html.len());
    std::fs::write("/tmp/look/page.html", html).unwrap();
    std::fs::write("/tmp/look/hostile.html", common::hostile().to_html()).unwrap();
    for (which, page) in [("", page), ("hostile-", common::hostile())] {
        for (index, figure) in common::figures(&page).into_iter().enumerate() {
            std::fs::write(format!("/tmp/look/{which}{index}.svg"), figure.to_svg()).unwrap();
            std::fs::write(format!("/tmp/look/{which}{index}.png"), figure.to_png(1.5).unwrap())
                .unwrap();
        }
    }
}
