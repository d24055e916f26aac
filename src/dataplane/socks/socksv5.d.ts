/** The wire parser of the package; its server and index are not used. */
declare module 'socksv5/lib/server.parser.js' {
  import type { EventEmitter } from 'node:events';
  import type { Duplex } from 'node:stream';

  export interface ParsedRequest {
    readonly cmd: 'connect' | 'bind' | 'udp';
    readonly dstAddr: string;
    readonly dstPort: number;
  }

  interface ParserEvents {
    methods: [Buffer];
    request: [ParsedRequest];
    error: [Error];
  }

  export default class Parser extends EventEmitter<ParserEvents> {
    authed: boolean;
    constructor(stream: Duplex);
    start(): void;
    stop(): void;
  }
}
