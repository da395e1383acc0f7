mod answers;
mod events;
mod evidence;
mod flood;
mod harness;
mod model;
mod sight;
mod times;
