fn open(paid: bool) {
    if paid {
        pay();

fn pay() {
    send();
}

fn send() {}
