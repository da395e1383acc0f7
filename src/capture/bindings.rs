//! The functions of libpcap that the crate `pcap` lacks, behind safe ones. Takes names and programs; gives handles,
//! texts and instructions. Must not know filters or frames.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;

use pcap::{Capture, Inactive};

/// The version of the libpcap that the program runs with.
pub fn library_version() -> String {
    unsafe extern "C" {
        fn pcap_lib_version() -> *const c_char;
    }
    // SAFETY: libpcap gives a pointer to a string that lives as long as the program.
    let text = unsafe { CStr::from_ptr(pcap_lib_version()) };
    text.to_string_lossy().into_owned()
}

/// A handle that is not open yet. The crate's own function takes names of UTF-8 alone.
pub(super) fn create(interface: &[u8]) -> Result<Capture<Inactive>, pcap::Error> {
    const MESSAGE_BYTES: usize = 256; // PCAP_ERRBUF_SIZE
    unsafe extern "C" {
        fn pcap_create(device: *const c_char, message: *mut c_char) -> *mut c_void;
    }
    let name = CString::new(interface).map_err(|error| pcap::Error::PcapError(error.to_string()))?;
    let mut message = [0; MESSAGE_BYTES];
    // SAFETY: the name ends with a zero. It and the message, which has the length that libpcap asks for, outlive the
    // call. The call returns a handle without another owner, or null.
    let handle = unsafe { pcap_create(name.as_ptr(), message.as_mut_ptr()) };
    match NonNull::new(handle) {
        Some(handle) => Ok(Capture::from(handle.cast())),
        None => {
            let text: Vec<u8> =
                message.iter().map(|letter| letter.cast_unsigned()).take_while(|&byte| byte != 0).collect();
            Err(pcap::Error::PcapError(String::from_utf8_lossy(&text).into_owned()))
        }
    }
}

pub(super) fn instructions(program: &pcap::BpfProgram) -> Vec<libc::sock_filter> {
    let compiled = program.get_instructions();
    // SAFETY: `BpfInstruction` is transparent over `struct bpf_insn`, whose layout the kernel's `struct sock_filter`
    // has: a 16-bit code, two 8-bit jumps, a 32-bit operand.
    let instructions =
        unsafe { std::slice::from_raw_parts(compiled.as_ptr().cast::<libc::sock_filter>(), compiled.len()) };
    instructions.to_vec()
}
