from diplomat_svc.wire import parameters


class Broken:
    """A body that fails on its second read."""

    def __init__(self, error):
        self.blocks = [b"requestType=conn"]
        self.error = error

    def read(self, _size):
        if self.blocks:
            return self.blocks.pop()
        raise self.error


def test_a_form_that_breaks_off_is_a_fault_of_the_request():
    """A server may report a broken or oversized body by an exception; that is a fault of the request (A16, A17)."""
    for error in (OSError("a chunk's size is malformed"), RuntimeError("the body is larger than its limit")):
        environ = {
            "REQUEST_METHOD": "POST",
            "QUERY_STRING": "requestType=runNow",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "wsgi.input_terminated": True,
            "wsgi.input": Broken(error),
        }
        call = parameters.read(environ)
        assert (call.kind, call.fault) == ("runNow", "The form cannot be read to its end.")
