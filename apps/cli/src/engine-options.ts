import { Option } from 'commander';

/** What trains, as a command is told. */
export interface EngineFlags {
  engine: 'auto' | 'tfjs' | 'simd' | 'ts';
  backend: 'auto' | 'tensorflow' | 'wasm' | 'cpu';
}

/** How a trainer is called in a sentence. */
export function trainerName(backend: string): string {
  switch (backend) {
    case 'simd':
      return 'the WebAssembly kernel';
    case 'ts':
      return 'the TypeScript kernel';
    default:
      return `TensorFlow.js (${backend})`;
  }
}

/** `--engine` and `--backend`. */
export function engineOptions(): [Option, Option] {
  return [
    new Option('--engine <name>', 'what trains: kernel in WebAssembly or TypeScript, or TensorFlow.js')
      .choices(['auto', 'simd', 'ts', 'tfjs'])
      .default('auto'),
    new Option('--backend <name>', 'TensorFlow.js backend; one named here trains')
      .choices(['auto', 'tensorflow', 'wasm', 'cpu'])
      .default('auto'),
  ];
}
