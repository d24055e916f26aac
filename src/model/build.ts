declare global {
  // Set by the bundler; absent when the sources run as they are.
  var SALLYPORT_BUILD: string | undefined;
  var SALLYPORT_VERSION: string | undefined;
}

/** Digest of the sources this program was built from. */
export const build: string = globalThis.SALLYPORT_BUILD ?? 'source';
export const version: string = globalThis.SALLYPORT_VERSION ?? '0.0.0';
