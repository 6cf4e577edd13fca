struct Order { number: i64, email: String }

fn letter(email: &str, number: i64) {}

fn paid(order: Order) {
    letter(&order.email);
}
