import { type ChildProcesses, findProgram } from '../child-processes.ts';
import { ROOT } from '../paths.ts';

/**
 * Compiles a program of one file (a path in the repository) into a folder; `parts` are files of native/ that it needs. Returns its path. Throws, with a
 * remedy, where it cannot.
 */
export async function compile(
  children: ChildProcesses,
  source: string,
  directory: string,
  parts: readonly string[] = [],
): Promise<string> {
  const compiler = ['c++', 'g++', 'clang++'].map(findProgram).find((path) => path !== undefined);
  if (compiler === undefined) throw new Error(`${source} needs a C++ compiler, on Debian: apt-get install g++`);
  const program = `${directory}/${source.replaceAll(/[/.]/g, '-')}`;
  const sources = [source, ...parts].map((path) => `${ROOT}${path}`);
  const options = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread', `-I${ROOT}native`];
  const command = [compiler, ...options, ...sources, '-o', program];
  const { code, child } = await children.run('c++', command, 'load core');
  if (code !== 0) throw new Error(`${source} does not compile:\n${child.stderr}`);
  return program;
}
