/** The folder of this package, which lies two folders up from here in src/, in dist/ and in bundle/. */
export const PACKAGE_ROOT = new URL('../../', import.meta.url);
