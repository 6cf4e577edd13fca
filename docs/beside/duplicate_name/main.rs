fn paid() {}
fn sent() {}
fn paid() {}
