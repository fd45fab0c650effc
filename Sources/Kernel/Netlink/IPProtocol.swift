/// Protocol numbers of IANA, as they stand in an IP header. Glibc and the kernel's headers behind libnl both have them, each
/// as an enumerator and as a macro of the same name, and with both in scope the compiler finds them or not by the order in
/// which it happens to read the files of this module.
enum IPProtocol {
  static let udp: UInt8 = 17
  static let gre: UInt8 = 47
}
