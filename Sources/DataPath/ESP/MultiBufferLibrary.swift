import Glibc

/// libIPSec_MB as it was found at run time; it is never linked, and a host has it or not.
package struct MultiBufferLibrary {
  /// Why the library is not used, as a sentence.
  package struct Unusable: Error, CustomStringConvertible {
    package let description: String
  }

  /// The name under which all versions 1.x are installed.
  package static let soname = "libIPSec_MB.so.1"

  private let file: String
  private let handle: UnsafeMutableRawPointer
  private let version: UInt32

  /// Opens the library for the rest of the process's life.
  init(_ file: String = soname) throws(Unusable) {
    guard let handle = dlopen(file, RTLD_NOW | RTLD_LOCAL) else {
      throw Unusable(description: "\(file) is not installed: AES-GCM may be several times as fast with it.")
    }
    guard let version = dlsym(handle, "imb_get_version") else {
      throw Unusable(description: "\(file) is not used: it is not libIPSec_MB.")
    }
    self.file = file
    self.handle = handle
    self.version = unsafeBitCast(version, to: (@convention(c) () -> UInt32).self)()
    try Self.check(version: self.version)
  }

  /// What the library itself takes on this processor, tried against libcrypto.
  package static func find(_ file: String = soname) throws(Unusable) -> MultiBufferProvider {
    let library = try MultiBufferLibrary(file)
    guard let chosen = library.choice() else {
      throw Unusable(description: "\(file) is not used: it does not start on this processor.")
    }
    let known = Level.allCases.first { library.functions(of: $0) == chosen }
    guard let level = known, let provider = library.provider(level) else {
      throw Unusable(description: "\(file) is not used: what it takes on this processor is not known.")
    }
    guard ProcessorFlags.read().isSuperset(of: level.flags) else {
      throw Unusable(description: "\(file) is not used: the kernel does not let programs use what it takes.")
    }
    if let failure = AEADSelfTest(seed: .random(in: .min ... .max)).failure(of: provider, against: LibcryptoProvider())
    {
      throw Unusable(description: "\(provider.name) is not used: \(failure)")
    }
    return provider
  }

  /// nil if the library lacks one of the functions.
  func provider(_ level: Level) -> MultiBufferProvider? {
    guard let functions = functions(of: level) else { return nil }
    return MultiBufferProvider(
      name: "libIPSec_MB \(Self.text(version: version)) (\(level))", functions: functions.typed)
  }

  /// `version` is major, minor and patch in 8 bits each. Below 1.3 nobody has tried it; 2.0 is another interface.
  static func check(version: UInt32) throws(Unusable) {
    guard (0x1_0300..<0x2_0000).contains(version) else {
      throw Unusable(description: "libIPSec_MB \(text(version: version)) is not used: versions 1.3 to 1.x are known.")
    }
  }

  private static func text(version: UInt32) -> String { "\(version >> 16).\(version >> 8 & 0xff).\(version & 0xff)" }
}

extension MultiBufferLibrary {
  /// A kind of processor for which the library has functions of its own; they end in its raw value.
  enum Level: String, CaseIterable, CustomStringConvertible {
    case vaes = "vaes_avx512"
    case avx512
    case avx2 = "avx_gen4"
    case avx = "avx_gen2"
    case sse

    var description: String {
      switch self {
      case .vaes: "VAES"
      case .avx512: "AVX-512"
      case .avx2: "AVX2"
      case .avx: "AVX"
      case .sse: "AES-NI"
      }
    }

    /// What the kernel has to say of the processor. The library asks the processor alone, which does not know whether
    /// the kernel keeps the wide registers of a thread.
    var flags: Set<Substring> {
      switch self {
      case .vaes: ["aes", "pclmulqdq", "vaes", "vpclmulqdq", "avx512f", "avx512bw", "avx512dq", "avx512vl"]
      case .avx512: ["aes", "pclmulqdq", "avx512f", "avx512bw", "avx512dq", "avx512vl"]
      case .avx2: ["aes", "pclmulqdq", "avx2"]
      case .avx: ["aes", "pclmulqdq", "avx"]
      case .sse: ["aes", "pclmulqdq", "sse4_2"]
      }
    }
  }

  /// Where three functions stand in memory.
  private struct Addresses: Equatable {
    var encrypt: UnsafeMutableRawPointer
    var decrypt: UnsafeMutableRawPointer
    var expand: UnsafeMutableRawPointer

    init?(_ encrypt: UnsafeMutableRawPointer?, _ decrypt: UnsafeMutableRawPointer?, _ expand: UnsafeMutableRawPointer?)
    {
      guard let encrypt, let decrypt, let expand else { return nil }
      (self.encrypt, self.decrypt, self.expand) = (encrypt, decrypt, expand)
    }

    var typed: MultiBufferProvider.Functions {
      .init(
        expand: unsafeBitCast(expand, to: MultiBufferProvider.Expand.self),
        encrypt: unsafeBitCast(encrypt, to: MultiBufferProvider.Crypt.self),
        decrypt: unsafeBitCast(decrypt, to: MultiBufferProvider.Crypt.self))
    }
  }

  private func functions(of level: Level) -> Addresses? {
    Addresses(
      dlsym(handle, "aes_gcm_enc_256_\(level.rawValue)"), dlsym(handle, "aes_gcm_dec_256_\(level.rawValue)"),
      dlsym(handle, "aes_gcm_pre_256_\(level.rawValue)"))
  }

  /// The functions that the library puts into an `IMB_MGR` on this processor, by the table of which its header says
  /// that it only ever grows at its end. They are compared and never called: a table of another shape makes the library
  /// unused, no more.
  private func choice() -> Addresses? {
    typealias Allocate = @convention(c) (_ flags: UInt64) -> UnsafeMutableRawPointer?
    typealias Initialize = @convention(c) (UnsafeMutableRawPointer, _ level: UnsafeMutablePointer<UInt32>) -> Void
    typealias Free = @convention(c) (UnsafeMutableRawPointer) -> Void
    guard let allocate = dlsym(handle, "alloc_mb_mgr"), let initialize = dlsym(handle, "init_mb_mgr_auto"),
      let free = dlsym(handle, "free_mb_mgr"), let manager = unsafeBitCast(allocate, to: Allocate.self)(0)
    else { return nil }
    defer { unsafeBitCast(free, to: Free.self)(manager) }
    var level: UInt32 = 0
    unsafeBitCast(initialize, to: Initialize.self)(manager, &level)
    func entry(_ offset: Int) -> UnsafeMutableRawPointer? {
      manager.load(fromByteOffset: offset, as: UnsafeMutableRawPointer?.self)
    }
    // gcm256_enc, gcm256_dec, gcm256_pre
    return Addresses(entry(272), entry(296), entry(464))
  }
}
