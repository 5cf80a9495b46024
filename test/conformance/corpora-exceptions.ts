/**
 * Where we disagree with a corpus about one of its cases, and the sentence that decides. Each is asserted to be an exception: one that
 * behaves as its corpus wants must leave this list.
 */

const ANY_METHOD = 'RFC 9110 section 9.1 lets any token be a method, and an endpoint decides which it knows.';
const LARGER_LIMITS =
  'RFC 9112 section 3 wants 8,000 bytes of a request line at least; how much more is up to us: 16 KiB a line.';
const OTHER_OPTIONS = 'It is refused only under an option of that server which has no meaning here.';
const UNDERSCORES = 'A name with _ is left out, as we rule: what is forwarded is not ambiguous any more.';
const NO_HOST =
  'RFC 9112 section 3.2 has every HTTP/1.1 request without Host answered with 400, also the second on a connection.';
const SLASH_OR_NUL =
  'An escaped slash could be a separator to some and not to others, and %00 ends strings: we rule both to be 400.';
const UNASKED_101 = 'RFC 9110 section 15.2.2 has 101 answer an Upgrade, and the request had none.';

export const EXCEPTIONS: Readonly<Record<string, string>> = {
  'llhttp-req-invalid-04': ANY_METHOD,
  'llhttp-req-invalid-14': ANY_METHOD,
  'gunicorn-inv-003c': ANY_METHOD,
  'h11p-COMP-UNKNOWN-METHOD': ANY_METHOD,
  'gunicorn-inv-006': LARGER_LIMITS,
  'gunicorn-inv-007': LARGER_LIMITS,
  'gunicorn-inv-008': LARGER_LIMITS,
  'gunicorn-inv-017': LARGER_LIMITS,
  'gunicorn-inv-limit_header_default_01': LARGER_LIMITS,
  'h11p-COMP-LONG-URL-OK': LARGER_LIMITS,
  'gunicorn-inv-010': OTHER_OPTIONS,
  'gunicorn-inv-019': OTHER_OPTIONS,
  'gunicorn-inv-040': UNDERSCORES,
  'gunicorn-inv-chunked_07': UNDERSCORES,
  'gunicorn-inv-041':
    'RFC 9110 section 5.3 leaves a repeated field to its recipient, unless it frames or routes; Content-Type does neither.',
  'go-host-03': 'RFC 9112 section 3.2 has a client send an empty Host where its target has no authority.',
  'cispa-code_400_after_bad_host_request-5': 'Its one fault is a missing Host, and for this score it was given one.',
  'llhttp-req-sample-09': NO_HOST,
  'llhttp-req-sample-15': NO_HOST,
  'gunicorn-val-018': NO_HOST,
  'gunicorn-val-022': NO_HOST,
  'gunicorn-val-023': NO_HOST,
  'gunicorn-val-pp_02': NO_HOST,
  'llhttp-req-transfer-encoding-06':
    'RFC 9110 section 6.5.1 forbids trailers that say how to process the content; we rule Content-Type among them to be 400.',
  'gunicorn-val-099': 'It ends before the length that it announces: RFC 9112 section 8 makes it incomplete.',
  'httparse-urltest_063': SLASH_OR_NUL,
  'httparse-urltest_064': SLASH_OR_NUL,
  'httparse-urltest_106': SLASH_OR_NUL,
  'llhttp-res-connection-10': UNASKED_101,
  'llhttp-res-connection-11': UNASKED_101,
  'httparse-test_response_reason_with_space_and_tab': UNASKED_101,
  'llhttp-res-connection-18':
    'It ends one byte before the length that it announces: RFC 9112 section 8 makes it incomplete.',
  'pico-resp-63':
    'RFC 9112 section 4 has exactly one space before the status code, and nothing about a response is repaired.',
};
