enum State { Waiting, Running, Done }

fn picked(state: State) -> State {
    match state {
        State::Waiting => State::Runing,
        other => other,
    }
}
