/** Tells the service manager how the process is (sd_notify(3)), where there is one. */
import { loadAddon } from '../engine/binding.ts';

export interface ServiceManager {
  /** The proxy accepts. */
  ready(): void;
  /** The configuration is read anew; `ready` follows. */
  reloading(): void;
  /** The process ends. */
  stopping(): void;
  /** Another process is the service from now on. */
  mainPid(pid: number): void;
}

/** A message that cannot be sent is not sent: the service goes on without. */
export function serviceManager(env: NodeJS.ProcessEnv = process.env): ServiceManager {
  const path = env.NOTIFY_SOCKET;
  const { addon } = loadAddon();
  const tell = (text: string) => {
    if (path !== undefined && path !== '') addon?.sendDatagram(path, text);
  };
  return {
    ready: () => tell('READY=1'),
    // systemd compares the times of a reload and of what came before it.
    reloading: () => tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => tell('STOPPING=1'),
    mainPid: (pid) => tell(`MAINPID=${pid}`),
  };
}
