/** Web Locks within one process, for Node 20, which has none. Exclusive locks only, with `signal` and `steal`. */
export function lockManager() {
  interface Ask {
    granted: () => void;
    refused: (reason: unknown) => void;
  }
  const held = new Map<string, Ask>();
  const queues = new Map<string, Ask[]>();
  const next = (name: string) => {
    if (held.has(name)) return;
    const ask = queues.get(name)?.shift();
    if (ask) {
      held.set(name, ask);
      ask.granted();
    }
  };
  const request = async <T>(
    name: string,
    given: LockOptions | (() => Promise<T>),
    callback = given as () => Promise<T>,
  ): Promise<T> => {
    const options: LockOptions = typeof given === 'function' ? {} : given;
    return new Promise<T>((resolve, reject) => {
      const ask: Ask = {
        refused: reject,
        granted: () => {
          const done = () => {
            if (held.get(name) === ask) held.delete(name);
            next(name);
          };
          void callback().then(resolve, reject).finally(done);
        },
      };
      const waiting = queues.get(name) ?? [];
      queues.set(name, waiting);
      options.signal?.addEventListener('abort', () => {
        const at = waiting.indexOf(ask);
        if (at < 0) return;
        waiting.splice(at, 1);
        reject(new DOMException('withdrawn', 'AbortError'));
      });
      if (options.signal?.aborted) return reject(new DOMException('withdrawn', 'AbortError'));
      if (options.steal) {
        held.get(name)?.refused(new DOMException('stolen', 'AbortError'));
        held.delete(name);
        waiting.unshift(ask);
      } else waiting.push(ask);
      next(name);
    });
  };
  return {
    request,
    /** Names that somebody holds. */
    get held() {
      return [...held.keys()];
    },
  };
}
