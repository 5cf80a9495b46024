/** The example of a test of routes is run as one of ours, so that it stays right. */
import '../../../examples/routes.test.ts';
