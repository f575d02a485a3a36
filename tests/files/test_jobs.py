"""Many files at a time."""

from threadpoolctl import threadpool_info

from utils.files import jobs


def test_numpys_matrices_do_not_take_the_cores_from_other_sheets():
    def blas_threads(_: int) -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = blas_threads(0)  # none with Apple's Accelerate
    assert list(jobs.in_threads(blas_threads, range(4), 2)) == [{1} if before else set()] * 4
    assert blas_threads(0) == before
