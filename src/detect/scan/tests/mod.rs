mod evidence;
mod flood;
mod harness;
mod model;
mod times;
