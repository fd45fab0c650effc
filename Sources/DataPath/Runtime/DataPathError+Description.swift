import Glibc

extension DataPathError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .refused(let operation, let object, let code):
      "The packet path could not \(operation) \(object): \(String(cString: strerror(code)))."
    case .spiTaken(let spi): "There is an SA with SPI \(spi) already."
    case .unusableKey: "The key of an SA could not be used by the cipher: 36 bytes are needed (RFC 4106, section 8.1)."
    case .tooManyHosts: "The packet path knows of 65,536 hosts already: remove entries and SAs of some."
    }
  }
}
