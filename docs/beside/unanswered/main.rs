enum Outcome { Success, Error }
enum State { Sent, Lost }

fn running(outcome: Outcome) -> State {
    match outcome {
        Outcome::Success => State::Sent,
    }
}
