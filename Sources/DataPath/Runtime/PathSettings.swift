import Glibc

extension DataPath {
  package struct Settings: Sendable {
    /// Each has one thread that sends and one that receives.
    package var queues: Int
    /// UDP port here and at the other hosts.
    package var port: UInt16
    /// What seals and opens packets; nil for the fastest of this machine.
    package var provider: (any AEADProvider)?

    /// - Parameter queues: nil for as many as suit the machine.
    package init(queues: Int? = nil, port: UInt16 = 7678, provider: (any AEADProvider)? = nil) {
      self.queues = max(1, queues ?? Self.suitable(processors: sysconf(Int32(_SC_NPROCESSORS_ONLN))))
      self.port = port
      self.provider = provider
    }

    /// 1 up to 4 processors, else a quarter of them, up to 4: a queue keeps two threads busy, and guests want the rest.
    static func suitable(processors: Int) -> Int { processors <= 4 ? 1 : min(4, processors / 4) }
  }
}
