struct Order { number: i64, email: text }
