import CLinux
import Glibc
import Synchronization
import Wire

/// One thread that waits for descriptors and timers (epoll, level-triggered) and is the executor of an actor.
///
/// An actor whose `unownedExecutor` is a reactor may call `watch`, `unwatch`, `schedule` and `cancel` from its methods,
/// and the handlers that it leaves there run on the same thread: `assumeIsolated` holds in them, and a frame on a
/// socket reaches the actor's state without one change of threads. Anybody else reaches the actor with `await`.
///
/// A round: wait, serve at most `eventsPerRound` ready descriptors, then the timers that are due, then the jobs that
/// had come before the wait. What a handler, timer or job adds is for the next round, so nobody starves the others.
package final class Reactor: @unchecked Sendable {
  package enum Interest: Sendable {
    case read
    case write
  }

  /// Names a timer for `cancel`.
  package struct Timer: Hashable, Sendable {
    fileprivate let id: UInt64
  }

  static let eventsPerRound = 64

  /// What other threads hand in.
  struct Inbox {
    var jobs: [UnownedJob] = []
    var isAsleep = false
    var isStopping = false
    /// The thread is gone; from here on late jobs run on a thread of their own (`drainLateJobs`).
    var hasEnded = false
    var isDraining = false
  }

  let inbox = Mutex(Inbox())
  /// `pthread_self()` of the thread whose turn it is; 0 for none.
  let owner = Atomic<UInt>(0)

  private let thread = Mutex<pthread_t?>(nil)
  private let epoll: Int32
  private let wakeup: Int32
  private let clock: Int32
  private let events: UnsafeMutableBufferPointer<epoll_event>

  // From here on: the reactor's thread only.
  private var watches: [Int32: Watch] = [:]
  private var lastToken: UInt32 = 0
  private var timers = TimerQueue()
  private var armed: Instant?

  /// Starts the thread.
  package init(name: String = "weft-engine") throws(SystemCallError) {
    var opened: [Int32] = []
    func keep(_ fd: Int32, _ call: String) throws(SystemCallError) -> Int32 {
      guard fd >= 0 else {
        let error = SystemCallError(call)
        for fd in opened { close(fd) }
        throw error
      }
      opened.append(fd)
      return fd
    }
    epoll = try keep(epoll_create1(Int32(EPOLL_CLOEXEC)), "epoll_create1")
    wakeup = try keep(eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), "eventfd")
    clock = try keep(
      timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK)), "timerfd_create")
    events = .allocate(capacity: Self.eventsPerRound)
    events.initialize(repeating: epoll_event())
    // Edge-triggered, so that neither has to be read: each write and each expiry is an edge of its own.
    for fd in [wakeup, clock] {
      var event = epoll_event(events: EPOLLIN.rawValue | EPOLLET.rawValue, data: epoll_data_t(u64: Self.noWatch))
      guard epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 else { throw SystemCallError("epoll_ctl") }
    }
    let code = thread.withLock { thread in
      startThread(storing: &thread) {
        weft_name_thread(name)
        self.run()
      }
    }
    guard code == 0 else { throw SystemCallError("pthread_create", code: code) }
  }

  deinit {
    for fd in [epoll, wakeup, clock] { close(fd) }
    events.deallocate()
  }

  /// The monotonic clock that timers run on.
  package static func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }

  /// Whether the caller runs on the reactor's thread.
  package var isCurrent: Bool { owner.load(ordering: .relaxed) == UInt(pthread_self()) }

  /// Runs the jobs that are there and those that they add, ends the thread, forgets all watches and timers. Returns when
  /// the thread is gone; again and again if one likes. Not from the reactor's own thread.
  package func stop() {
    precondition(!isCurrent, "a reactor cannot wait for its own end")
    inbox.withLock { $0.isStopping = true }
    wake()
    thread.withLock { thread in
      if let running = thread { pthread_join(running, nil) }
      thread = nil
    }
  }

  func wake() {
    var one: UInt64 = 1
    write(wakeup, &one, 8)
  }
}

// MARK: - Descriptors and timers (the reactor's thread only)

extension Reactor {
  /// Calls `handler` in each round in which `fd` is readable (writable), has an error or was hung up, until `unwatch`.
  /// Replaces the handler of the same interest. The descriptor stays the caller's, who unwatches before closing it.
  package func watch(_ fd: Int32, for interest: Interest, handler: @escaping () -> Void) throws(SystemCallError) {
    precondition(isCurrent, "only on the reactor's thread")
    let known = watches[fd]
    let watch = known ?? Watch(token: nextToken())
    let before = watch.mask
    switch interest {
    case .read: watch.onRead = handler
    case .write: watch.onWrite = handler
    }
    watches[fd] = watch
    guard before != watch.mask else { return }
    var event = epoll_event(events: watch.mask, data: epoll_data_t(u64: watch.key(fd)))
    if known != nil {
      if epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0 { return }
      // Closed without unwatch, and the number is in use again: what epoll knew of it is gone.
      if errno == ENOENT, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 { return }
    } else if epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 {
      return
    }
    let error = SystemCallError("epoll_ctl")
    watches[fd] = nil
    throw error
  }

  /// Forgets one interest in `fd`. Its handler is not called again, not even in this round.
  package func unwatch(_ fd: Int32, for interest: Interest) {
    precondition(isCurrent, "only on the reactor's thread")
    guard let watch = watches[fd] else { return }
    switch interest {
    case .read: watch.onRead = nil
    case .write: watch.onWrite = nil
    }
    guard watch.mask != 0 else { return unwatch(fd) }
    var event = epoll_event(events: watch.mask, data: epoll_data_t(u64: watch.key(fd)))
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event)
  }

  /// Forgets `fd`. Its handlers are not called again, not even in this round.
  package func unwatch(_ fd: Int32) {
    precondition(isCurrent, "only on the reactor's thread")
    guard let watch = watches.removeValue(forKey: fd) else { return }
    watch.onRead = nil
    watch.onWrite = nil
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nil)
  }

  /// Calls `handler` once, at `deadline` or as soon after it as its turn comes.
  @discardableResult
  package func schedule(at deadline: Instant, handler: @escaping () -> Void) -> Timer {
    precondition(isCurrent, "only on the reactor's thread")
    return Timer(id: timers.add(at: deadline, handler))
  }

  /// Forgets a timer; nothing if it fired before.
  package func cancel(_ timer: Timer) {
    precondition(isCurrent, "only on the reactor's thread")
    timers.remove(timer.id)
  }

  private func nextToken() -> UInt32 {
    lastToken &+= 1
    return lastToken
  }
}

// MARK: - The loop

extension Reactor {
  private func run() {
    weft_block_signals()
    owner.store(UInt(pthread_self()), ordering: .relaxed)
    var jobs: [UnownedJob] = []
    while takeJobs(&jobs) {
      let ready = wait(forever: jobs.isEmpty)
      for index in 0..<ready { serve(events[index]) }
      fireTimers()
      for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
      jobs.removeAll(keepingCapacity: true)
    }
    watches = [:]
    timers = TimerQueue()
    endTurn()
  }

  /// Number of ready descriptors. Before it sleeps it sees to it that the next timer ends the sleep.
  private func wait(forever: Bool) -> Int {
    var timeout: Int32 = forever ? -1 : 0
    if forever, let deadline = timers.nextDeadline() {
      if deadline <= Self.now() { timeout = 0 } else { arm(deadline) }
    }
    let ready = epoll_wait(epoll, events.baseAddress, Int32(events.count), timeout)
    if forever { inbox.withLock { $0.isAsleep = false } }
    return max(0, Int(ready))
  }

  /// The clock may be armed for an earlier time than needed (a timer was cancelled): that costs one idle round.
  private func arm(_ deadline: Instant) {
    if let armed, armed <= deadline, armed > Self.now() { return }
    var setting = itimerspec()
    // A zero time would disarm the clock.
    let nanoseconds = max(1, deadline.nanoseconds)
    setting.it_value.tv_sec = Int(min(nanoseconds / 1_000_000_000, UInt64(Int32.max)))
    setting.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
    timerfd_settime(clock, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    armed = deadline
  }

  private func serve(_ event: epoll_event) {
    let key = event.data.u64
    let fd = Int32(truncatingIfNeeded: key)
    guard key != Self.noWatch, let watch = watches[fd], watch.key(fd) == key else { return }
    let broken = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
    // A handler may unwatch, close and watch again: each is looked up at its turn.
    if broken || event.events & EPOLLIN.rawValue != 0, let handler = watch.onRead { handler() }
    if broken || event.events & EPOLLOUT.rawValue != 0, let handler = watch.onWrite { handler() }
  }

  private func fireTimers() {
    guard timers.count > 0 else { return }
    let now = Self.now()
    let newest = timers.newest
    while let handler = timers.popDue(now: now, upTo: newest) { handler() }
  }

  /// No descriptor is negative.
  private static let noWatch = UInt64.max
}

/// The handlers of one descriptor. The token tells it from an earlier watch of the same number.
private final class Watch {
  let token: UInt32
  var onRead: (() -> Void)?
  var onWrite: (() -> Void)?

  init(token: UInt32) { self.token = token }

  var mask: UInt32 { (onRead == nil ? 0 : EPOLLIN.rawValue) | (onWrite == nil ? 0 : EPOLLOUT.rawValue) }

  func key(_ fd: Int32) -> UInt64 { UInt64(token) << 32 | UInt64(UInt32(bitPattern: fd)) }
}
