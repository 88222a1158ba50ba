//! 80 % of its work in `hot_c`, 20 % in `warm_c`.

#[path = "life.rs"]
mod life;

use life::{Life, work};

#[inline(never)]
fn hot_c(seed: u64) -> u64 {
    work(seed, 20_000)
}

#[inline(never)]
fn warm_c(seed: u64) -> u64 {
    // Another constant, or the two would be folded into one function.
    work(seed ^ 0x55, 20_000)
}

#[inline(never)]
fn serve_c(mut seed: u64) -> u64 {
    for unit in 0..10 {
        seed = seed.wrapping_add(if unit < 8 { hot_c(seed) } else { warm_c(seed) });
    }
    seed
}

fn main() {
    let life = Life::start();
    let mut seed = 1;
    loop {
        for _ in 0..100 {
            seed = serve_c(seed);
        }
        life.check();
    }
}
