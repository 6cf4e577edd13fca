fn running() {
    run("shop.mail:send);
    timeout(30);
}
fn run(_handler: &str) {}
fn timeout(_seconds: i32) {}
