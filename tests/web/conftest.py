import pytest

from digitised import sheet
from served import encoded, served


@pytest.fixture(scope="session")
def server():
    """A server with a stand-in for the network that knows the sheets of `digitised`."""
    with served(max_upload_mb=2.0, max_megapixels=2.0) as one:
        yield one


@pytest.fixture(scope="session")
def photograph():
    """A sheet as a JPEG file."""
    return encoded(sheet(), quality=95)
