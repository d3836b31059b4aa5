//! Pages that need JavaScript, in a real Chromium with its sandbox: hostile pages, limits, kills, many in a row, and the way of
//! a job through it. Chromium has to be installed (`make test` sees to it).

mod bench;
mod hostile;
mod jobs;
mod labelled;
mod limits;
mod row;
