struct Paid { amount: String }

fn open(event: Paid) -> i32 {
    let paid: i32 = event.amount;
    paid
}
