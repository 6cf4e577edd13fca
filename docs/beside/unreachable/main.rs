pub fn open() {}
fn refunding() {
    open();
}
