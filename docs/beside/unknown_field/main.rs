struct Paid { amount: i64, method: String }

fn open(event: Paid, price: i64) -> bool {
    event.amunt >= price
}
