import Wire

/// Why the packet path could not do what it was asked for, as a sentence that says what to do.
package enum DataPathError: Error, Equatable {
  /// The system refused a call; `code` is its errno.
  case refused(operation: String, object: String, code: Int32)
  /// There is an SA with this SPI already: draw another one.
  case spiTaken(SPI)
  /// What a key is made of has the wrong length, or the library took none.
  case unusableKey
  /// More than 65,536 hosts are named by entries and SAs.
  case tooManyHosts
}
